import type { CheckStatus } from './service-registration.js';

/** Reports to TTL checks from a worker thread, on connections of its own. */
export interface WorkerReporter {
  /** @throws DiscoveryError `RK_NOT_FOUND` when the registry has no such check (any more) */
  report(checkId: string, status: CheckStatus, output: string, timeoutMs: number): Promise<void>;
  /** What it is to identify itself by from now on. */
  setToken(token: string | undefined): void;
  close(): Promise<void>;
}

/** How a worker thread makes a reporter, which cannot be handed over itself. */
export interface WorkerReporterSource {
  /** URL of a module that exports `createWorkerReporter(data)`. */
  readonly module: string;
  /** What that takes; it is copied into the thread. */
  readonly data: unknown;
  /** Only this thread may know where the token comes from. */
  readonly token: () => Promise<string | undefined>;
  /** The registry refused that token: another one is fetched, if there is one. */
  readonly refused: () => Promise<void>;
}
