// The entry of a worker thread: its heartbeats go on while the event loop of the main thread is blocked.
import { parentPort, workerData } from 'node:worker_threads';
import { errorMessage } from '../../errors/error-message.js';
import type { WorkerReporter } from '../../registry/worker-reporter.js';
import { isAborted } from '../../timing/clock.js';
import type { HealthReport } from './health-report.js';
import type { FromHeartbeatWorker, HeartbeatWorkerData, ToHeartbeatWorker } from './heartbeat-messages.js';
import { FAILING_AFTER, MAX_REQUEST_MS, RETRY_INTERVAL_MS } from './heartbeat.js';
import { STALL_TOLERANCE, stallReport } from './stall-report.js';

async function run(port: NonNullable<typeof parentPort>, data: HeartbeatWorkerData): Promise<void> {
  const { createWorkerReporter } = (await import(data.reporter.module)) as {
    createWorkerReporter: (options: unknown) => WorkerReporter;
  };
  const { checkIds, intervalMs, expectedMs, maxStallMs } = data;
  const reporter = createWorkerReporter(data.reporter.data);
  reporter.setToken(data.token);
  let last: HealthReport = data.firstReport;
  let heardAt = performance.now();
  let wake: () => void = () => undefined;
  const stopping = new AbortController();
  let failures = 0;
  const send = (message: FromHeartbeatWorker): void => port.postMessage(message);

  port.on('message', (message: ToHeartbeatWorker) => {
    if (message.type === 'stop') {
      stopping.abort();
      wake();
      return;
    }
    const wasStalled = performance.now() - heardAt > expectedMs * STALL_TOLERANCE;
    heardAt = performance.now();
    const hasChanged = message.report.status !== last.status;
    last = message.report;
    reporter.setToken(message.token);
    // A recovery or a change of status does not wait for the next heartbeat.
    if (hasChanged || wasStalled) wake();
  });

  while (!stopping.signal.aborted) {
    const report = stallReport(last, { silentMs: performance.now() - heardAt, expectedMs, maxStallMs });
    if (report) {
      try {
        const timeoutMs = Math.min(MAX_REQUEST_MS, intervalMs);
        for (const id of checkIds) await reporter.report(id, report.status, report.output, timeoutMs);
        if (failures > 0) send({ type: 'recovered' });
        if (failures >= FAILING_AFTER) send({ type: 'failing', reason: undefined });
        failures = 0;
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === 'RK_NOT_FOUND') send({ type: 'lost' });
        if (code === 'RK_ACL_DENIED') send({ type: 'refused', reason: errorMessage(error) });
        if (++failures === FAILING_AFTER) send({ type: 'failing', reason: errorMessage(error) });
      }
    }
    if (isAborted(stopping.signal)) break;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, failures > 0 ? Math.min(RETRY_INTERVAL_MS, intervalMs) : intervalMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  await reporter.close();
  send({ type: 'stopped' });
  port.close();
}

// A rejection ends the thread, which the main thread sees.
if (parentPort) void run(parentPort, workerData as HeartbeatWorkerData);
