import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { AdaptiveLimit } from './limits/adaptive-limit.js';
import { Bulkhead } from './limits/bulkhead.js';
import { CircuitBreaker } from './limits/circuit-breaker.js';
import { RetryBudget } from './limits/retry-budget.js';
import { classifyError, classifyResponse, outcomeOf } from './attempt-result.js';
import { AttemptTimeout, errorKind } from './error-kind.js';
import { countsAsFailure } from './failure-rules.js';
import { fetchResponseInfo } from './response-info.js';
import { mayRetry, retryDelay } from './retry-decision.js';

const coded = (code: string, more: object = {}): Error => Object.assign(new Error(code), { code, ...more });

describe('mayRetry', () => {
  const ask = { idempotent: false, replayableBody: true, retried: 0, retries: 1 };
  it('repeats anything that was not sent, what was sent only if it is idempotent, and never after a response', () => {
    expect(mayRetry({ ...ask, retry: 'safe' })).toBe(true);
    expect(mayRetry({ ...ask, retry: 'if-idempotent' })).toBe(false);
    expect(mayRetry({ ...ask, retry: 'if-idempotent', idempotent: true })).toBe(true);
    expect(mayRetry({ ...ask, retry: 'if-idempotent', idempotent: true, retried: 1 })).toBe(false);
    expect(mayRetry({ ...ask, retry: 'never', idempotent: true })).toBe(false);
    expect(mayRetry({ ...ask, retry: 'safe', replayableBody: false })).toBe(false);
  });

  it('backs off with full jitter up to 25 ms, then twice as long, at most 250 ms; not at all if nothing was sent', () => {
    expect([0, 1, 2, 3, 4].map((retried) => retryDelay('if-idempotent', retried, () => 1))).toEqual([
      25, 50, 100, 200, 250,
    ]);
    expect(retryDelay('if-idempotent', 0, () => 0)).toBe(0);
    expect(retryDelay('safe', 0, () => 1)).toBe(0);
  });
});

describe('RetryBudget', () => {
  it('F32 allows a fifth of the calls plus ten a second, and accumulates only a short burst', async () => {
    const clock = new FakeClock();
    const budget = new RetryBudget(clock, { ratio: 0.2, perSecond: 10 });
    const taken = (): number => {
      let count = 0;
      while (budget.take()) count++;
      return count;
    };
    expect(taken()).toBe(10);
    for (let n = 0; n < 50; n++) budget.deposit();
    expect(taken()).toBe(10);
    await clock.advance(500);
    expect(taken()).toBe(5);
    for (let n = 0; n < 10_000; n++) budget.deposit();
    expect(taken()).toBe(20);
  });

  it('can allow less than one a second, or none', async () => {
    const clock = new FakeClock();
    const seldom = new RetryBudget(clock, { ratio: 0, perSecond: 0.5 });
    expect([seldom.take(), seldom.take()]).toEqual([true, false]);
    await clock.advance(2_000);
    expect(seldom.take()).toBe(true);
    const none = new RetryBudget(clock, { ratio: 0, perSecond: 0 });
    await clock.advance(100_000);
    expect(none.take()).toBe(false);
  });
});

describe('the result of an attempt', () => {
  it('F43 counts every error against the instance, except what the caller is known to have caused', () => {
    const counts = (error: unknown): boolean => countsAsFailure({ error });
    const cyclic = new Error('its own cause');
    cyclic.cause = cyclic;
    for (const error of [
      coded('ECONNRESET'),
      coded('ECONNREFUSED', { syscall: 'connect' }),
      coded('UND_ERR_SOCKET'),
      coded('HPE_INVALID_CONSTANT'),
      new AttemptTimeout(5_000, false),
      new Error('fetch failed', { cause: coded('ECONNRESET') }),
      new AggregateError([coded('ETIMEDOUT')]),
      // On no list: undici's parse errors have no code at all, and libraries have codes of their own.
      Object.assign(new Error('Response does not match the HTTP/1.1 protocol'), { name: 'HTTPParserError' }),
      coded('UND_ERR_HEADERS_OVERFLOW'),
      coded('UND_ERR_RES_CONTENT_LENGTH_MISMATCH'),
      coded('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'),
      coded('ERR_BAD_RESPONSE'),
      coded('PROTOCOL_CONNECTION_LOST'),
      new TypeError('fetch failed', { cause: coded('ECONNRESET') }),
      new TypeError('terminated', { cause: new Error('bad chunk') }),
      new SyntaxError('Unexpected token < in JSON'),
      'a string',
      cyclic,
    ])
      expect(counts(error)).toBe(true);
    for (const error of [
      coded('EMFILE', { syscall: 'connect' }),
      new TypeError('x is not a function'),
      coded('ERR_BAD_REQUEST'),
      new TypeError('x is not a function'),
      new ReferenceError('x is not defined'),
      Object.assign(new Error('aborted'), { name: 'AbortError', code: 'ABORT_ERR' }),
      new Error('call failed', { cause: coded('ERR_INVALID_CHAR') }),
      coded('ERR_BAD_RESPONSE', { message: 'maxContentLength size of 5 exceeded' }),
      coded('RK_NO_INSTANCES'),
      // A deadline of the caller says nothing about the instance.
      new AttemptTimeout(5, true),
    ])
      expect(counts(error)).toBe(false);
  });

  it('distinguishes what was not sent, what may have been sent, and what would fail again', () => {
    expect(classifyError(coded('ECONNREFUSED', { syscall: 'connect' }))).toMatchObject({
      type: 'failed',
      retry: 'safe',
      isRefusal: true,
    });
    expect(classifyError(coded('ECONNRESET'))).toMatchObject({ retry: 'if-idempotent', isRefusal: false });
    expect(classifyError(new TypeError('no'))).toMatchObject({
      type: 'ignored',
      retry: 'never',
    });
    expect(classifyError(new TypeError('no'), () => true)).toMatchObject({
      type: 'failed',
      retry: 'if-idempotent',
    });
  });

  it('F43 reads the statuses of gRPC, and of errors that HTTP clients throw', () => {
    const grpc = (code: number): Error => Object.assign(new Error(`${code} X: y`), { code, details: 'y' });
    for (const code of [4, 8, 14]) expect(errorKind(grpc(code))).toBe('failure');
    for (const code of [2, 13, 15]) expect(errorKind(grpc(code))).toBe('server-error');
    for (const code of [1, 3, 5, 6, 7, 9, 11, 12, 16]) expect(errorKind(grpc(code))).toBe('none');
    const noConnection = 'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1';
    const unavailable = (details: string, received: object): Error =>
      Object.assign(new Error(`14 UNAVAILABLE: ${details}`), {
        code: 14,
        details,
        metadata: { getMap: () => received },
      });
    expect(classifyError(unavailable(noConnection, {}))).toMatchObject({ type: 'failed', retry: 'safe' });
    const tooLarge = (received: object): Error =>
      Object.assign(unavailable('Received message larger than max (5 vs 4)', received), { code: 8 });
    expect(errorKind(tooLarge({}))).toBe('none');
    expect(errorKind(tooLarge({ 'content-type': 'application/grpc' }))).toBe('failure');
    // A handler may pass on the error of a call of its own: it has run.
    for (const executed of [
      unavailable(noConnection, { 'content-type': 'application/grpc' }),
      unavailable('connect ECONNREFUSED 10.0.0.5:5432', {}),
      unavailable('Failed to connect to the payment provider', {}),
    ])
      expect(classifyError(executed)).toMatchObject({ type: 'failed', retry: 'if-idempotent' });
    const byClient = (more: object): Error => Object.assign(new Error('of a client'), more);
    expect(errorKind(byClient({ response: { status: 503 } }))).toBe('failure');
    expect(errorKind(byClient({ statusCode: 500 }))).toBe('server-error');
    expect(errorKind(byClient({ status: 404 }))).toBe('none');
    // A DOMException has a numeric code, too.
    expect(errorKind(new DOMException('late', 'TimeoutError'))).toBe('failure');
  });

  it('counts no deadline of the caller against the instance, whether the instance or its transport reports it', () => {
    const exceeded = Object.assign(new Error('4 DEADLINE_EXCEEDED: x'), { code: 4, details: 'x' });
    expect(classifyError(exceeded)).toMatchObject({ type: 'failed' });
    expect(classifyError(exceeded, undefined, true)).toMatchObject({ type: 'ignored', isServerError: false });
    const respond = (status: number) => ({ status, retryAfter: undefined, isMisdirected: false });
    const cutShort = (status: number) => classifyResponse({}, respond(status), undefined, () => 0, true);
    expect(outcomeOf(cutShort(504))).toBe('success');
    expect(outcomeOf(cutShort(503))).toBe('failure');
    expect(outcomeOf(cutShort(500))).toBe('server-error');
  });

  const answered = (status: number, retryAfter?: string, isMisdirected = false) =>
    classifyResponse({}, { status, retryAfter, isMisdirected }, undefined, () => 0);
  const failed = (status: number, retryAfter?: string) => {
    const result = answered(status, retryAfter);
    if (result.type !== 'failed-response') throw new Error(result.type);
    return result;
  };

  it('counts 502, 503, 504 and 429 as failures, and no other response', () => {
    for (const status of [502, 503, 504, 429])
      expect(answered(status)).toMatchObject({
        type: 'failed-response',
        retry: 'if-idempotent',
        reason: `status ${status}`,
      });
    for (const status of [200, 301, 400, 404, 408, 421]) expect(outcomeOf(answered(status))).toBe('success');
    for (const status of [500, 501]) {
      expect(answered(status)).toMatchObject({ type: 'success' });
      expect(outcomeOf(answered(status))).toBe('server-error');
    }
  });

  it('reads Retry-After in seconds and as a date, and nothing else', () => {
    expect(answered(429, '5')).toMatchObject({ retryAfterMs: 5_000, backOffMs: undefined });
    expect(answered(503, '100000')).toMatchObject({
      retryAfterMs: 300_000,
      backOffMs: 300_000,
      reason: 'status 503; Retry-After asks for 100000 s, and 300 s are obeyed',
    });
    const soon = failed(503, new Date(Date.now() + 10_000).toUTCString()).retryAfterMs ?? 0;
    expect(soon).toBeGreaterThan(7_000);
    for (const wrong of ['soon', '-1', '', '0']) expect(failed(503, wrong).retryAfterMs).toBeUndefined();
  });

  it('reads a Response of fetch', () => {
    const response = new Response('', { status: 503, headers: { 'retry-after': '2' } });
    expect(fetchResponseInfo(response)).toEqual({ status: 503, retryAfter: '2', isMisdirected: false });
    expect(
      fetchResponseInfo(new Response('', { status: 421, headers: { 'rookery-service': 'x' } }))
        ?.isMisdirected,
    ).toBe(true);
    for (const other of [undefined, null, 7, { status: 503 }, { status: 'ok', headers: new Map() }])
      expect(fetchResponseInfo(other)).toBeUndefined();
  });

  it("F37 recognises only Rookery's own 421 as misdirected", () => {
    expect(answered(421, undefined, true)).toMatchObject({ isMisdirected: true, retry: 'safe' });
    expect(answered(421).type).toBe('success');
  });
});

describe('CircuitBreaker', () => {
  const rules = { failureRate: 0.5, minimumCalls: 10, windowMs: 10_000, openMs: 5_000 };

  /** A call that begins and ends at once. */
  const call = (breaker: CircuitBreaker, hasFailed: boolean): string | undefined => {
    const ticket = breaker.admit();
    return ticket && (breaker.record(ticket, hasFailed) ?? 'made');
  };

  it('opens when half of the calls fail, lets one half-open call through, and closes when that succeeds', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock, rules);
    for (let n = 0; n < 9; n++) expect(call(breaker, true)).toBe('made');
    expect(call(breaker, true)).toBe('opened');
    expect(call(breaker, true)).toBeUndefined();
    await clock.advance(5_000);
    const trial = breaker.admit();
    expect([trial !== undefined, breaker.admit()]).toEqual([true, undefined]);
    expect(trial && breaker.record(trial, true)).toBeUndefined();
    expect(breaker.admit()).toBeUndefined();
    await clock.advance(5_000);
    expect(call(breaker, false)).toBe('closed');
    expect([call(breaker, false), breaker.isOpen]).toEqual(['made', false]);
  });

  it('lets another half-open call through when the first was abandoned, and ignores calls from before a transition', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock, rules);
    const early = breaker.admit();
    for (let n = 0; n < 10; n++) call(breaker, true);
    if (!early) throw new Error('it was closed');
    expect(breaker.record(early, false)).toBeUndefined();
    await clock.advance(5_000);
    const trial = breaker.admit();
    if (!trial) throw new Error('its time was over');
    expect([breaker.record(early, false), breaker.record(early, undefined), breaker.admit()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(breaker.record(trial, undefined)).toBeUndefined();
    expect(call(breaker, false)).toBe('closed');
    for (let n = 0; n < 50; n++) expect(breaker.record(early, true)).toBeUndefined();
    expect(breaker.isOpen).toBe(false);
  });

  it('forgets results older than its window', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker(clock, rules);
    for (let n = 0; n < 9; n++) call(breaker, true);
    await clock.advance(11_000);
    for (let n = 0; n < 9; n++) expect(call(breaker, true)).toBe('made');
    for (let n = 0; n < 12; n++) call(breaker, false);
    expect(call(breaker, true)).toBe('made');
  });
});

describe('Bulkhead', () => {
  it('admits up to its concurrency, queues up to its length in order, and refuses the rest', async () => {
    const bulkhead = new Bulkhead(new FakeClock(), { concurrency: 2, queue: 2 });
    expect([bulkhead.enter(), bulkhead.enter()]).toEqual([true, true]);
    const waiting = [bulkhead.enter(), bulkhead.enter()];
    expect(bulkhead.enter()).toBe(false);
    const order: number[] = [];
    const admitted = waiting.map(async (place, at) => {
      if (typeof place === 'object') await place.admitted;
      order.push(at);
    });
    bulkhead.exit(1, false);
    await admitted[0];
    expect([order, bulkhead.inFlight, bulkhead.queued]).toEqual([[0], 2, 1]);
    bulkhead.exit(1, false);
    await admitted[1];
    expect(order).toEqual([0, 1]);
  });

  it('frees the place of a waiter that gave up', () => {
    const bulkhead = new Bulkhead(new FakeClock(), { concurrency: 1, queue: 1 });
    bulkhead.enter();
    const place = bulkhead.enter();
    if (typeof place !== 'object') throw new Error('it should wait');
    expect(place.leave()).toBe(true);
    expect(bulkhead.queued).toBe(0);
    const next = bulkhead.enter();
    bulkhead.exit(1, false);
    expect(typeof next === 'object' && next.leave()).toBe(false);
  });
});

describe('AdaptiveLimit', () => {
  /** A service with a fixed concurrency, 10 ms for each call; the others wait. */
  const settle = (limit: AdaptiveLimit, capacity: number, calls = 4_000): number => {
    for (let n = 0; n < calls; n++) {
      const inFlight = limit.value;
      limit.observe(10 * Math.max(1, inFlight / capacity), inFlight, false);
    }
    return limit.value;
  };

  it('converges on what a service can take, and follows it', () => {
    const limit = new AdaptiveLimit(new FakeClock());
    const found = settle(limit, 100);
    expect(found).toBeGreaterThan(60);
    expect(found).toBeLessThan(250);
    expect(settle(limit, 20)).toBeLessThan(60);
    expect(settle(limit, 400)).toBeGreaterThan(200);
  });

  it('adapts within seconds to a service that became slower, however few calls it admits', async () => {
    const clock = new FakeClock();
    const limit = new AdaptiveLimit(clock);
    const second = async (latencyMs: number): Promise<void> => {
      for (let n = 0; n < 20; n++) limit.observe(latencyMs, limit.value, false);
      await clock.advance(1_000);
    };
    for (let n = 0; n < 20; n++) await second(50);
    const before = limit.value;
    for (let n = 0; n < 5; n++) await second(200);
    expect(limit.value).toBe(10);
    for (let n = 0; n < 15; n++) await second(200);
    expect(limit.value).toBeGreaterThan(Math.min(before, 40));
  });

  it('falls with failures to a minimum, and does not rise while unused', () => {
    const limit = new AdaptiveLimit(new FakeClock());
    for (let n = 0; n < 100; n++) limit.observe(10, 1, false);
    expect(limit.value).toBe(20);
    for (let n = 0; n < 100; n++) limit.observe(10, 20, true);
    expect(limit.value).toBe(10);
  });
});
