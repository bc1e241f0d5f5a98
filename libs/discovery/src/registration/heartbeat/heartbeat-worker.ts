// The entry of a worker thread: it beats on while the app's own thread stands still.
import { parentPort, workerData } from 'node:worker_threads';
import { reasonOf } from '../../errors/error-message.js';
import { isAborted } from '../../timing/clock.js';
import type { WorkerReporter } from '../../registry/worker-reporter.js';
import type { FromHeartbeatWorker, HeartbeatWorkerData, ToHeartbeatWorker } from './heartbeat-messages.js';
import type { HealthReport } from './health-report.js';
import { LONGEST_REQUEST_MS, RETRY_MS, TROUBLE_AFTER } from './heartbeat.js';
import { vouchFor } from './stall-report.js';

async function run(port: NonNullable<typeof parentPort>, data: HeartbeatWorkerData): Promise<void> {
  const { createWorkerReporter } = (await import(data.reporter.module)) as {
    createWorkerReporter: (options: unknown) => WorkerReporter;
  };
  const reporter = createWorkerReporter(data.reporter.data);
  reporter.setToken(data.token);
  let last: HealthReport = data.first;
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
    const wasSilent = performance.now() - heardAt > data.expectedMs * 3;
    heardAt = performance.now();
    const isNews = message.report.status !== last.status;
    last = message.report;
    reporter.setToken(message.token);
    // Whoever is back, or has something else to say, does not wait for the next beat.
    if (isNews || wasSilent) wake();
  });

  while (!stopping.signal.aborted) {
    const { expectedMs, vouchForMs } = data;
    const report = vouchFor(last, { silentMs: performance.now() - heardAt, expectedMs, vouchForMs });
    if (report) {
      try {
        const timeoutMs = Math.min(LONGEST_REQUEST_MS, data.everyMs);
        for (const id of data.checkIds) await reporter.report(id, report.status, report.output, timeoutMs);
        if (failures > 0) send({ type: 'answered' });
        if (failures >= TROUBLE_AFTER) send({ type: 'trouble', reason: undefined });
        failures = 0;
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === 'RK_NOT_FOUND') send({ type: 'lost' });
        if (code === 'RK_ACL_DENIED') send({ type: 'refused' });
        if (++failures === TROUBLE_AFTER) send({ type: 'trouble', reason: reasonOf(error) });
      }
    }
    if (isAborted(stopping.signal)) break;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, failures > 0 ? Math.min(RETRY_MS, data.everyMs) : data.everyMs);
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

if (parentPort) await run(parentPort, workerData as HeartbeatWorkerData);
