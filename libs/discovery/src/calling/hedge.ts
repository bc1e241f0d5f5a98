import { AsyncResource } from 'node:async_hooks';
import type { TimerWheel } from '../timing/timer-wheel.js';
import { AttemptLost } from './error-kind.js';
import type { AttemptResult } from './attempt-result.js';
import type { RunningAttempt } from './running-attempt.js';

export interface HedgeTools<T> {
  readonly wheel: TimerWheel;
  /** How long the first attempt has before the second one starts. */
  readonly delayMs: number;
  /** Starts an attempt on another instance; undefined: there is none, or no budget for it. */
  readonly startSecond: () => RunningAttempt<T> | undefined;
  /** Whether the second attempt needs the async context of the call. */
  readonly usesAsyncContext: boolean;
  readonly discard: (result: AttemptResult<T>) => void;
}

/**
 * Starts a second attempt when the first one is slow; the first success wins, and the other attempt is cancelled.
 * Source: Dean, Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013.
 */
export function hedge<T>(
  first: RunningAttempt<T>,
  { wheel, delayMs, startSecond, usesAsyncContext, discard }: HedgeTools<T>,
  onResult: (result: AttemptResult<T>) => void,
): void {
  let second: RunningAttempt<T> | undefined;
  let ended = 0;
  const onEnd = (result: AttemptResult<T>, other: RunningAttempt<T> | undefined): void => {
    timer.cancel();
    // An attempt that failed leaves the call to the other one, if that is still running.
    if (result.type !== 'success' && other && ++ended < 2) {
      discard(result);
      return;
    }
    // What is left of an attempt that lost is of no interest.
    if (ended > 2) return;
    ended = 3;
    onResult(result);
    other?.lose(new AttemptLost());
  };
  const start = (): void => {
    second = startSecond();
    second?.whenEnded((result) => onEnd(result, first));
  };
  // The wheel's timer belongs to another call. To keep the context of this one costs as much as the rest of the call.
  const timer = wheel.after(delayMs, usesAsyncContext ? AsyncResource.bind(start) : start);
  first.whenEnded((result) => onEnd(result, second));
}
