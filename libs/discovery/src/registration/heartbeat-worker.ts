// The entry of a worker thread: it beats on while the app's own thread stands still.
import { parentPort, workerData } from 'node:worker_threads';
import { isAborted } from '../timing/clock.js';
import type { WorkerReporter } from '../registry/worker-reporter.js';
import type { FromHeartbeatWorker, HeartbeatWorkerData, ToHeartbeatWorker } from './heartbeat-messages.js';
import type { HealthReport } from './health-report.js';
import { vouchFor } from './vouch.js';

const RETRY_MS = 1_000;

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
  let failed = false;
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
        for (const id of data.checkIds) await reporter.report(id, report.status, report.output);
        if (failed) send({ type: 'answered' });
        failed = false;
      } catch (error) {
        if ((error as { code?: string }).code === 'RK_NOT_FOUND') send({ type: 'lost' });
        failed = true;
      }
    }
    if (isAborted(stopping.signal)) break;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, failed ? Math.min(RETRY_MS, data.everyMs) : data.everyMs);
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
