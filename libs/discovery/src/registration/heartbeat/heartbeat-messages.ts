import type { HealthReport } from './health-report.js';

/** The data that the worker thread is started with. */
export interface HeartbeatWorkerData {
  readonly checkIds: readonly string[];
  /** Between two heartbeats, in milliseconds. */
  readonly intervalMs: number;
  /** Between two messages of a main thread whose event loop runs, in milliseconds. */
  readonly expectedMs: number;
  readonly maxStallMs: number;
  readonly reporter: { readonly module: string; readonly data: unknown };
  readonly firstReport: HealthReport;
  readonly token: string | undefined;
}

/** To the worker thread. `alive`: the event loop runs, with the latest health report and token. */
export type ToHeartbeatWorker =
  | { readonly type: 'alive'; readonly report: HealthReport; readonly token: string | undefined }
  | { readonly type: 'stop' };

/** From the worker thread. */
export type FromHeartbeatWorker =
  | { readonly type: 'lost' | 'recovered' | 'stopped' }
  /** Heartbeats do not arrive, with the reason; without one: they arrive again. */
  | { readonly type: 'failing'; readonly reason: string | undefined }
  /** The registry refused the token, with its words. */
  | { readonly type: 'refused'; readonly reason: string };
