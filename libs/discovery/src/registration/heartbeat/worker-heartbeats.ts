import { Worker } from 'node:worker_threads';
import { fileOf } from '#here';
import type { LoggerService } from '@nestjs/common';
import { errorMessage } from '../../errors/error-message.js';
import type { ServiceRegistration } from '../../registry/service-registration.js';
import type { WorkerReporterSource } from '../../registry/worker-reporter.js';
import { delay, type Clock } from '../../timing/clock.js';
import { withAbort, withTimeout } from '../../timing/with-timeout.js';
import type { HealthReport } from './health-report.js';
import type { FromHeartbeatWorker, HeartbeatWorkerData, ToHeartbeatWorker } from './heartbeat-messages.js';
import { heartbeatInterval } from './heartbeat.js';
import type { HeartbeatListener, Heartbeats } from './heartbeats.js';

export interface WorkerHeartbeatsOptions {
  readonly clock: Clock;
  readonly report: () => Promise<HealthReport>;
  readonly source: WorkerReporterSource;
  readonly maxStallMs: number;
  readonly onRecovered: () => void;
  readonly logger: LoggerService;
  /** Used when the thread cannot run. */
  readonly fallback: Heartbeats;
  /** Default: a thread of Node. */
  readonly startThread?: (data: HeartbeatWorkerData) => HeartbeatThread;
}

export type HeartbeatThread = Pick<Worker, 'on' | 'once' | 'postMessage' | 'terminate' | 'unref'>;

/** How often the main thread reports that its event loop runs. */
const ALIVE_INTERVAL_MS = 1_000;
const STALL_MS = 3_000;
const STOP_TIMEOUT_MS = 1_000;

/** Sends heartbeats from a worker thread, which can tell a blocked event loop from a dead process. */
export class WorkerHeartbeats implements Heartbeats {
  readonly #options: WorkerHeartbeatsOptions;
  #thread: HeartbeatThread | undefined;
  #stopping: AbortController | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: WorkerHeartbeatsOptions) {
    this.#options = options;
  }

  start(registration: ServiceRegistration, listener: HeartbeatListener): void {
    const stopping = new AbortController();
    this.#stopping = stopping;
    this.#ended = this.#run(registration, listener, stopping.signal).catch((error: unknown) => {
      if (stopping.signal.aborted) return;
      this.#options.logger.error(
        `worker thread of the heartbeat of "${registration.id}" failed, continuing in the main thread: ${errorMessage(error)}`,
      );
      this.#options.fallback.start(registration, listener);
    });
  }

  async stop(): Promise<void> {
    this.#stopping?.abort(new Error('the heartbeat was stopped'));
    await Promise.all([this.#ended, this.#options.fallback.stop()]);
  }

  async #run(
    registration: ServiceRegistration,
    listener: HeartbeatListener,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, report, source, maxStallMs, onRecovered, startThread = startWorker } = this.#options;
    const checks = registration.checks.filter((check) => check.type === 'ttl');
    if (checks.length === 0) return;
    const intervalMs = Math.min(...checks.map(heartbeatInterval));
    const data: HeartbeatWorkerData = {
      checkIds: checks.map(({ id }) => id),
      intervalMs,
      expectedMs: ALIVE_INTERVAL_MS,
      maxStallMs,
      reporter: { module: source.module, data: source.data },
      firstReport: await withAbort(report(), signal),
      token: await source.token(),
    };
    const thread = startThread(data);
    this.#thread = thread;
    thread.unref();
    const failed = new Promise<never>((_, reject) => {
      thread.once('error', reject);
      thread.once('exit', () => reject(new Error('the worker thread exited')));
    });
    const stopped = new Promise<void>((resolve) => {
      thread.on('message', (message: FromHeartbeatWorker) => {
        if (message.type === 'lost') listener.onLost();
        if (message.type === 'recovered') onRecovered();
        if (message.type === 'failing') listener.onFailing(message.reason && new Error(message.reason));
        if (message.type === 'stopped') resolve();
        // Only the main thread can fetch another token; the next message carries it.
        if (message.type === 'refused') source.refused(message.reason).catch(() => undefined);
      });
    });
    try {
      await Promise.race([failed, this.#feed(data.firstReport, intervalMs, listener.onStall, signal)]);
    } finally {
      failed.catch(() => undefined); // its exit is expected now
      this.#post({ type: 'stop' });
      const ended = Promise.race([stopped, failed]);
      await withTimeout(clock, STOP_TIMEOUT_MS, ended, () => new Error('timed out')).catch(() => undefined);
      await thread.terminate();
      this.#thread = undefined;
    }
  }

  /** Tells the worker thread every second that the event loop runs, and reads the app's health once in each interval. */
  async #feed(
    firstReport: HealthReport,
    intervalMs: number,
    onStall: (lagMs: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, report, source } = this.#options;
    let last = firstReport;
    let token: string | undefined;
    for (let readAt = clock.now(); !signal.aborted;) {
      const begun = clock.now();
      await delay(clock, ALIVE_INTERVAL_MS, signal).catch(() => undefined);
      const lagMs = clock.now() - begun - ALIVE_INTERVAL_MS;
      if (lagMs > STALL_MS) onStall(lagMs);
      if (clock.now() - readAt >= intervalMs || lagMs > STALL_MS) {
        readAt = clock.now();
        last = await withAbort(report(), signal).catch(() => last);
      }
      token = await source.token().catch(() => token);
      this.#post({ type: 'alive', report: last, token });
    }
  }

  #post(message: ToHeartbeatWorker): void {
    this.#thread?.postMessage(message);
  }
}

function startWorker(workerData: HeartbeatWorkerData): Worker {
  const file = fileOf('registration/heartbeat/heartbeat-worker.js');
  return new Worker(file.startsWith('file:') ? new URL(file) : file, { workerData });
}
