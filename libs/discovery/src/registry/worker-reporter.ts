import type { CheckStatus } from './service-registration.js';

/** Reports to TTL checks from a worker thread, on connections of its own. */
export interface WorkerReporter {
  /** @throws DiscoveryError `RK_NOT_FOUND` when the registry does not have the check */
  report(checkId: string, status: CheckStatus, output: string, timeoutMs: number): Promise<void>;
  /** The token for every report from now on. */
  setToken(token: string | undefined): void;
  close(): Promise<void>;
}

/** How a worker thread creates a reporter; the reporter itself cannot be transferred to a thread. */
export interface WorkerReporterSource {
  /** A module that exports `createWorkerReporter(data)`, as `import()` takes it: a URL, or in CommonJS a path. */
  readonly module: string;
  /** The argument of `createWorkerReporter`; it is copied into the thread. */
  readonly data: unknown;
  /** The current token, which only the main thread can obtain. */
  readonly token: () => Promise<string | undefined>;
  /** Call it when the registry refused that token, with its words: another one is fetched, if there is one. */
  readonly refused: (reason: string) => Promise<void>;
}
