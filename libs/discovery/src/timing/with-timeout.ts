import { abortReason, type CancelSignal, type Clock } from './clock.js';

/**
 * Settles as `work` does, or rejects with `onTimeout()` after the given milliseconds, or with the signal's reason when it
 * aborts. The work itself is not stopped.
 */
export function withTimeout<T>(
  clock: Clock,
  milliseconds: number,
  work: Promise<T>,
  onTimeout: () => Error,
  signal?: CancelSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => {
      end();
      if (signal) reject(abortReason(signal));
    };
    const cancel = clock.after(milliseconds, () => {
      // The work may never end.
      end();
      reject(onTimeout());
    });
    work.then(resolve, reject).finally(end);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Settles as `work` does, or rejects with the signal's reason as soon as it aborts. The work itself is not stopped. */
export function withAbort<T>(work: Promise<T>, signal: CancelSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortReason(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
