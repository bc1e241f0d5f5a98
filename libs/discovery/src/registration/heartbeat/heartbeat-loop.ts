import { errorMessage } from '../../errors/error-message.js';
import type { WorkerReporter } from '../../registry/worker-reporter.js';
import { isAborted, type Clock } from '../../timing/clock.js';
import type { FromHeartbeatWorker, HeartbeatWorkerData, ToHeartbeatWorker } from './heartbeat-messages.js';
import { FAILING_AFTER, MAX_REQUEST_MS, RETRY_INTERVAL_MS } from './heartbeat.js';
import { STALL_TOLERANCE, stallReport } from './stall-report.js';

/** The way to the main thread. */
export interface HeartbeatPort {
  on(event: 'message', listener: (message: ToHeartbeatWorker) => void): unknown;
  postMessage(message: FromHeartbeatWorker): void;
  close(): void;
}

/** Sends heartbeats until the main thread says *stop*, with what it said last, or that its event loop is blocked. */
export async function runHeartbeats(
  port: HeartbeatPort,
  data: Omit<HeartbeatWorkerData, 'reporter'>,
  reporter: WorkerReporter,
  clock: Clock,
): Promise<void> {
  const { checkIds, intervalMs, expectedMs, maxStallMs } = data;
  reporter.setToken(data.token);
  let last = data.firstReport;
  let heardAt = clock.now();
  let wake: () => void = () => undefined;
  const stopping = new AbortController();
  let failures = 0;
  /** Counts what is to be told at once: something may come while a heartbeat is sent. */
  let news = 0;
  const send = (message: FromHeartbeatWorker): void => port.postMessage(message);

  port.on('message', (message: ToHeartbeatWorker) => {
    if (message.type === 'stop') {
      stopping.abort();
      wake();
      return;
    }
    const wasStalled = clock.now() - heardAt > expectedMs * STALL_TOLERANCE;
    heardAt = clock.now();
    const hasChanged = message.report.status !== last.status;
    last = message.report;
    reporter.setToken(message.token);
    // A recovery or a change of status does not wait for the next heartbeat.
    if (!hasChanged && !wasStalled) return;
    news++;
    wake();
  });

  while (!stopping.signal.aborted) {
    const told = news;
    const report = stallReport(last, { silentMs: clock.now() - heardAt, expectedMs, maxStallMs });
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
    // Only what it has failed to send waits.
    if (news !== told && failures === 0) continue;
    await new Promise<void>((resolve) => {
      const waitMs = failures > 0 ? Math.min(RETRY_INTERVAL_MS, intervalMs) : intervalMs;
      const cancel = clock.after(waitMs, resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });
  }
  await reporter.close();
  send({ type: 'stopped' });
  port.close();
}
