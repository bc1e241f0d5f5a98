import { Worker } from 'node:worker_threads';
import type { LoggerService } from '@nestjs/common';
import { reasonOf } from '../../errors/error-message.js';
import type { ServiceRegistration } from '../../registry/service-registration.js';
import type { WorkerReporterSource } from '../../registry/worker-reporter.js';
import { abortable, bounded } from '../../timing/with-timeout.js';
import { pause, type Clock } from '../../timing/clock.js';
import { beatEvery } from './heartbeat.js';
import type { FromHeartbeatWorker, HeartbeatWorkerData, ToHeartbeatWorker } from './heartbeat-messages.js';
import type { HeartbeatListener, Heartbeats } from './heartbeats.js';
import type { HealthReport } from './health-report.js';

export interface WorkerHeartbeatsOptions {
  readonly clock: Clock;
  readonly report: () => Promise<HealthReport>;
  readonly source: WorkerReporterSource;
  readonly vouchForMs: number;
  readonly onAnswered: () => void;
  readonly logger: LoggerService;
  /** Beats when the thread cannot. */
  readonly fallback: Heartbeats;
}

/** How often the thread hears that our event loop runs. */
const ALIVE_MS = 1_000;
const STALL_MS = 3_000;
const STOP_MS = 1_000;

/** Beats from a thread of its own, which tells a blocked event loop from a dead process. */
export class WorkerHeartbeats implements Heartbeats {
  readonly #options: WorkerHeartbeatsOptions;
  #worker: Worker | undefined;
  #stopping: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: WorkerHeartbeatsOptions) {
    this.#options = options;
  }

  start(registration: ServiceRegistration, listener: HeartbeatListener): void {
    const stopping = new AbortController();
    this.#stopping = stopping;
    this.#running = this.#run(registration, listener, stopping.signal).catch((error: unknown) => {
      if (stopping.signal.aborted) return;
      this.#options.logger.error(
        `the heartbeat of "${registration.id}" could not run in a thread of its own, and runs in ours: ${reasonOf(error)}`,
      );
      this.#options.fallback.start(registration, listener);
    });
  }

  async stop(): Promise<void> {
    this.#stopping?.abort(new Error('the heartbeat was stopped'));
    await Promise.all([this.#running, this.#options.fallback.stop()]);
  }

  async #run(
    registration: ServiceRegistration,
    listener: HeartbeatListener,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, report, source, vouchForMs, onAnswered } = this.#options;
    const checks = registration.checks.filter((check) => check.type === 'ttl');
    if (checks.length === 0) return;
    const everyMs = Math.min(...checks.map(beatEvery));
    const data: HeartbeatWorkerData = {
      checkIds: checks.map(({ id }) => id),
      everyMs,
      expectedMs: ALIVE_MS,
      vouchForMs,
      reporter: { module: source.module, data: source.data },
      first: await abortable(report(), signal),
      token: await source.token(),
    };
    const worker = new Worker(new URL('./heartbeat-worker.js', import.meta.url), { workerData: data });
    this.#worker = worker;
    worker.unref();
    const failed = new Promise<never>((_, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('the thread ended')));
    });
    const stopped = new Promise<void>((resolve) => {
      worker.on('message', (message: FromHeartbeatWorker) => {
        if (message.type === 'lost') listener.onLost();
        if (message.type === 'answered') onAnswered();
        if (message.type === 'trouble') listener.onTrouble(message.reason && new Error(message.reason));
        if (message.type === 'stopped') resolve();
        // Only this thread knows where another token comes from; the next sign of life carries it.
        if (message.type === 'refused') source.refused().catch(() => undefined);
      });
    });
    try {
      await Promise.race([failed, this.#speak(data.first, everyMs, listener.onStall, signal)]);
    } finally {
      failed.catch(() => undefined); // it ends, as it should
      this.#tell({ type: 'stop' });
      await bounded(clock, STOP_MS, Promise.race([stopped, failed]), () => new Error('late')).catch(
        () => undefined,
      );
      await worker.terminate();
      this.#worker = undefined;
    }
  }

  /** Until it is stopped: a sign of life every second, and the app's health once a beat. */
  async #speak(
    first: HealthReport,
    everyMs: number,
    onStall: (lag: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, report, source } = this.#options;
    let last = first;
    let token: string | undefined;
    for (let askedAt = clock.now(); !signal.aborted;) {
      const begun = clock.now();
      await pause(clock, ALIVE_MS, signal).catch(() => undefined);
      const lag = clock.now() - begun - ALIVE_MS;
      if (lag > STALL_MS) onStall(lag);
      if (clock.now() - askedAt >= everyMs || lag > STALL_MS) {
        askedAt = clock.now();
        last = await abortable(report(), signal).catch(() => last);
      }
      token = await source.token().catch(() => token);
      this.#tell({ type: 'alive', report: last, token });
    }
  }

  #tell(message: ToHeartbeatWorker): void {
    this.#worker?.postMessage(message);
  }
}
