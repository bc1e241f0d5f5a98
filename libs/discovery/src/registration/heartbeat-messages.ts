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
  { readonly type: 'lost' } | { readonly type: 'answered' } | { readonly type: 'stopped' };
