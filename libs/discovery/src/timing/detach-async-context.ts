import { AsyncResource } from 'node:async_hooks';

/** Made when this module is loaded, which is in nobody's name. */
const nobody = new AsyncResource('rookery');

/**
 * Runs what goes on after the request that happened to begin it: a watch, a timer. It must neither keep that request's
 * context alive, nor show it to others, nor end with it.
 */
export function outsideOfRequests<T>(work: () => T): T {
  return nobody.runInAsyncScope(work);
}
