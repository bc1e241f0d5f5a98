import { AsyncResource } from 'node:async_hooks';

/** Created when this module is loaded, outside of any request. */
const detached = new AsyncResource('rookery');

/**
 * Runs work that outlives the request which happened to start it, such as a watch or a timer. It must neither keep that
 * request's `AsyncLocalStorage` context alive, nor show it to others, nor end with it.
 */
export function detachAsyncContext<T>(work: () => T): T {
  return detached.runInAsyncScope(work);
}
