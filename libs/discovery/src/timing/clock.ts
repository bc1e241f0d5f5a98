import { isError } from '../errors/error-message.js';
import { outsideOfRequests } from './detach-async-context.js';

/** Time, passed in wherever something waits, so that tests need no sleeping. */
export interface Clock {
  /** Milliseconds of a clock that never jumps; only differences mean anything. */
  now(): number;
  /** Calls back once after so many milliseconds, unless the function that it returns was called before. */
  after(milliseconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, callback) => {
    // Whoever sets a timer for many, as for a watch or the wheel of deadlines, does not lend it his request's context.
    const timer = outsideOfRequests(() => setTimeout(callback, milliseconds));
    return () => clearTimeout(timer);
  },
};

/** Resolves after so many milliseconds; rejects with the signal's reason when it aborts first. */
export function pause(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
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

/** Why a signal aborted, always as an Error. */
export function abortReason(signal: AbortSignal): Error {
  return isError(signal.reason) ? signal.reason : new Error('aborted', { cause: signal.reason });
}

/** A function, so that the compiler does not carry an earlier reading of `aborted` over an await. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Uniform in [0, 1), as `Math.random`. */
export type Random = () => number;
