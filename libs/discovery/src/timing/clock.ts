import { isError } from '../errors/error-message.js';
import { detachAsyncContext } from './detach-async-context.js';

/** Time, passed in wherever something waits, so that tests need no sleeping. */
export interface Clock {
  /** Monotonic milliseconds; only differences have a meaning. */
  now(): number;
  /** Calls back once after the given milliseconds; the returned function cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** The longest that a timer of Node can take, about 25 days. A longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, callback) => {
    // Shared timers must not inherit the async context of the request that created them.
    const timer = detachAsyncContext(() => setTimeout(callback, milliseconds));
    return () => clearTimeout(timer);
  },
};

/** Resolves after the given milliseconds; rejects with the signal's reason when it aborts first. */
export function delay(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(abortReason(signal));
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(abortReason(signal));
    };
    const cancel = clock.after(milliseconds, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** What is used of an `AbortSignal`, which costs more to make than a pick: calls of this library bring their own. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The reason of an aborted signal, always as an Error. */
export function abortReason(signal: Pick<CancelSignal, 'reason'>): Error {
  return isError(signal.reason) ? signal.reason : new Error('aborted', { cause: signal.reason });
}

/** A function, so that the compiler does not carry an earlier reading of `aborted` over an await. */
export function isAborted(signal: CancelSignal): boolean {
  return signal.aborted;
}

/** Uniform in [0, 1), as `Math.random`. */
export type Random = () => number;
