import type { HealthReport } from './health-report.js';

/** What the thread is started with. */
export interface HeartbeatWorkerData {
  readonly checkIds: readonly string[];
  /** Between two beats, in milliseconds. */
  readonly everyMs: number;
  readonly expectedMs: number;
  readonly vouchForMs: number;
  readonly reporter: { readonly module: string; readonly data: unknown };
  readonly first: HealthReport;
  readonly token: string | undefined;
}

/** To the thread: a sign of life, with what is new, if anything is. */
export type ToHeartbeatWorker =
  | { readonly type: 'alive'; readonly report: HealthReport; readonly token: string | undefined }
  | { readonly type: 'stop' };

/** From the thread. */
export type FromHeartbeatWorker =
  | { readonly type: 'lost' | 'answered' | 'stopped' }
  /** Beats do not arrive, and why; without a reason: they do again. */
  | { readonly type: 'trouble'; readonly reason: string | undefined }
  /** The registry does not take our token. */
  | { readonly type: 'refused' };
