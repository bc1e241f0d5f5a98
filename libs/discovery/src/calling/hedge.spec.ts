import { AsyncLocalStorage } from 'node:async_hooks';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { TimerWheel } from '../timing/timer-wheel.js';
import type { AttemptResult } from './attempt-result.js';
import { AttemptLost } from './error-kind.js';
import { hedge } from './hedge.js';
import type { RunningAttempt } from './running-attempt.js';

type Result = AttemptResult<string>;
const success = (value: string): Result => ({ type: 'success', value, isServerError: false });
const failure = (reason: string): Result => ({
  ...{ type: 'failed', error: new Error(reason), reason, retry: 'if-idempotent', isRefusal: false },
});

/** An attempt that ends when it is told to. */
class FakeAttempt {
  lost: Error[] = [];
  #onResult: (result: Result) => void = () => undefined;
  whenEnded(onResult: (result: Result) => void): void {
    this.#onResult = onResult;
  }
  end(result: Result): void {
    this.#onResult(result);
  }
  lose(error: Error): void {
    this.lost.push(error);
    // As one that is cancelled ends, too.
    this.#onResult(failure('lost'));
  }
}

describe('hedge', () => {
  let clock: FakeClock;
  let first: FakeAttempt;
  let second: FakeAttempt;
  let results: Result[];
  let discarded: Result[];
  let starts: number;

  beforeEach(() => {
    clock = new FakeClock();
    first = new FakeAttempt();
    second = new FakeAttempt();
    results = [];
    discarded = [];
    starts = 0;
  });

  const start = (
    more: { hasSecond?: boolean; usesAsyncContext?: boolean; onStart?: () => void } = {},
  ): void => {
    const { hasSecond = true, usesAsyncContext = false, onStart } = more;
    hedge<string>(
      first as unknown as RunningAttempt<string>,
      {
        wheel: new TimerWheel(clock),
        delayMs: 50,
        startSecond: () => {
          starts++;
          onStart?.();
          return hasSecond ? (second as unknown as RunningAttempt<string>) : undefined;
        },
        usesAsyncContext,
        discard: (result) => discarded.push(result),
      },
      (result) => results.push(result),
    );
  };

  it('starts no second attempt when the first ends in time', async () => {
    start();
    first.end(success('a'));
    await clock.advance(1_000);
    expect([results, starts]).toEqual([[success('a')], 0]);
  });

  it('has the first failure where there is no second attempt', async () => {
    start({ hasSecond: false });
    await clock.advance(1_000);
    expect(starts).toBe(1);
    first.end(failure('a'));
    expect([results, discarded]).toEqual([[failure('a')], []]);
  });

  it('takes the first success, and cancels the other attempt', async () => {
    start();
    await clock.advance(1_000);
    second.end(success('b'));
    expect(results).toEqual([success('b')]);
    expect(first.lost).toEqual([expect.any(AttemptLost)]);
    expect(second.lost).toEqual([]);
    first.end(success('late'));
    expect([results.length, discarded]).toEqual([1, []]);
  });

  it('leaves a call to the other attempt when one has failed', async () => {
    start();
    await clock.advance(1_000);
    second.end(failure('b'));
    expect([results, discarded]).toEqual([[], [failure('b')]]);
    first.end(success('a'));
    expect(results).toEqual([success('a')]);
  });

  it('has the last failure when both have failed', async () => {
    start();
    await clock.advance(1_000);
    first.end(failure('a'));
    second.end(failure('b'));
    expect([results, discarded]).toEqual([[failure('b')], [failure('a')]]);
  });

  it.each([true, false])(
    'starts the second in the async context of the call only if it is used: %j',
    async (uses) => {
      const storage = new AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      storage.run('of the call', () =>
        start({ usesAsyncContext: uses, onStart: () => seen.push(storage.getStore()) }),
      );
      await clock.advance(1_000);
      expect(seen).toEqual([uses ? 'of the call' : undefined]);
    },
  );
});
