import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { AdaptiveLimit } from './adaptive-limit.js';
import { Bulkhead } from './bulkhead.js';
import { CircuitBreaker } from './circuit-breaker.js';
import { HedgeBudget } from './hedge-budget.js';
import { RetryBudget } from './retry-budget.js';

describe('the window of a circuit breaker', () => {
  const rules = { failureRate: 0.5, minimumCalls: 4, windowMs: 10_000, openMs: 5_000 };
  const call = (breaker: CircuitBreaker, hasFailed: boolean): string | undefined => {
    const admission = breaker.admit();
    return admission && (breaker.record(admission, hasFailed) ?? 'made');
  };

  it('has what happened within it, to a tenth of it', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock, rules);
    for (let n = 0; n < 3; n++) {
      expect(call(breaker, true)).toBe('made');
      await clock.advance(1_000);
    }
    // The first of them is forgotten after ten seconds, the second a second later.
    await clock.advance(6_999);
    const late = call(breaker, true);
    expect(late).toBe('opened');
    const other = new CircuitBreaker(clock, rules);
    for (let n = 0; n < 3; n++) {
      call(other, true);
      await clock.advance(1_000);
    }
    await clock.advance(7_000);
    expect([call(other, true), call(other, true)]).toEqual(['made', 'opened']);
  });

  it('is empty after a longer time, and begins then', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock, rules);
    for (let n = 0; n < 3; n++) call(breaker, true);
    await clock.advance(95_500);
    for (let n = 0; n < 3; n++) expect(call(breaker, true)).toBe('made');
    await clock.advance(9_999);
    expect(call(breaker, true)).toBe('opened');
  });

  it('opens at the rate itself, and not below it', () => {
    const breaker = new CircuitBreaker(new FakeClock(), { ...rules, failureRate: 0.75, minimumCalls: 8 });
    for (const hasFailed of [false, false, true, true, true, true, true])
      expect(call(breaker, hasFailed)).toBe('made');
    expect(call(breaker, true)).toBe('opened');
    const few = new CircuitBreaker(new FakeClock(), { ...rules, failureRate: 0.75, minimumCalls: 8 });
    for (const hasFailed of [false, false, false, true, true, true, true]) call(few, hasFailed);
    expect(call(few, true)).toBe('made');
  });

  it('is open for its time, and starts anew when it closes', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock, rules);
    for (let n = 0; n < 4; n++) call(breaker, true);
    await clock.advance(4_999);
    expect([breaker.isOpen, breaker.admit()]).toEqual([true, undefined]);
    await clock.advance(1);
    expect(call(breaker, false)).toBe('closed');
    for (let n = 0; n < 3; n++) expect(call(breaker, true)).toBe('made');
    expect(call(breaker, true)).toBe('opened');
  });

  it('takes another trial call when one has not ended for as long as it is open', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock, rules);
    for (let n = 0; n < 4; n++) call(breaker, true);
    await clock.advance(5_000);
    const quiet = breaker.admit() ?? Symbol('none');
    await clock.advance(4_999);
    expect(breaker.admit()).toBeUndefined();
    await clock.advance(1);
    expect(call(breaker, false)).toBe('closed');
    expect(breaker.record(quiet, true)).toBeUndefined();
    expect(breaker.isOpen).toBe(false);
  });
});

describe('an adaptive bulkhead', () => {
  it('has the limit that it finds, by calls that say something', () => {
    const bulkhead = new Bulkhead(new FakeClock(), { concurrency: 'adaptive', queue: 0 });
    expect(bulkhead.limit).toBe(20);
    const callAll = (latencyMs: number | undefined, hasFailed?: boolean): void => {
      const { limit } = bulkhead;
      for (let n = 0; n < limit; n++) expect(bulkhead.enter()).toBe(true);
      expect(bulkhead.enter()).toBe(false);
      for (let n = 0; n < limit; n++) bulkhead.exit(latencyMs, hasFailed);
      expect(bulkhead.inFlight).toBe(0);
    };
    callAll(undefined);
    expect(bulkhead.limit).toBe(20);
    for (let n = 0; n < 5; n++) callAll(10);
    const risen = bulkhead.limit;
    expect(risen).toBeGreaterThan(20);
    callAll(10, true);
    expect(bulkhead.limit).toBeLessThan(risen);
  });

  it('has the concurrency that it is told', () => {
    const bulkhead = new Bulkhead(new FakeClock(), { concurrency: 3, queue: 1 });
    bulkhead.exit(10);
    expect(bulkhead.limit).toBe(3);
  });
});

describe('AdaptiveLimit', () => {
  it('rises while at least half of it is used', () => {
    const of = (inFlight: number): number => {
      const limit = new AdaptiveLimit(new FakeClock());
      for (let n = 0; n < 30; n++) limit.observe(10, inFlight, false);
      return limit.value;
    };
    expect(of(9)).toBe(20);
    expect(of(10)).toBeGreaterThan(20);
  });

  it('falls a tenth with each failure', () => {
    const limit = new AdaptiveLimit(new FakeClock());
    limit.observe(10, 20, true);
    expect(limit.value).toBe(18);
  });
});

describe('the budgets', () => {
  it('of hedges has one to begin with, and saves ten', () => {
    const budget = new HedgeBudget();
    expect([budget.take(0), budget.take(0.1), budget.take(0.1)]).toEqual([false, true, false]);
    for (let n = 0; n < 9; n++) budget.deposit(0.125);
    expect([budget.take(0.125), budget.take(0.125)]).toEqual([true, false]);
    for (let n = 0; n < 1_000; n++) budget.deposit(1);
    let taken = 0;
    while (budget.take(1)) taken++;
    expect(taken).toBe(10);
    const exact = new HedgeBudget();
    exact.take(0.5);
    exact.deposit(0.5);
    exact.deposit(0.5);
    expect([exact.take(0.5), exact.take(0.5)]).toEqual([true, false]);
  });

  it('of retries says how many there are', async () => {
    const clock = new FakeClock();
    const budget = new RetryBudget(clock, { ratio: 0.2, perSecond: 10 });
    expect(budget.available).toBe(10);
    for (let n = 0; n < 5; n++) budget.deposit();
    expect(budget.available).toBe(11);
    for (let n = 0; n < 11; n++) expect(budget.take()).toBe(true);
    expect([budget.available, budget.take()]).toEqual([0, false]);
    await clock.advance(250);
    expect(budget.available).toBe(2);
  });
});
