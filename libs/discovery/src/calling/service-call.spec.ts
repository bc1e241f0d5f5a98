import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { ServiceCatalog } from '../catalog/service-catalog.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { CallError } from './call-error.js';
import { ratesBetween } from './call-statistics.js';
import type { CallObserver } from './call-observer.js';
import { runInCall } from './incoming-call.js';
import type { TransportOptions } from './options/call-options.js';
import type { ClientsOptions } from './options/client-options.js';
import type { OpenAttempt, RunningAttempt, Transport } from './running-attempt.js';
import type { CallResult } from './service-call.js';
import { ServiceCaller } from './service-caller.js';

type Answer = Response | string;

const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const reset = (): Error => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
const response = (status: number, headers: Record<string, string> = {}): Response =>
  new Response('', { status, headers });

describe('a call, as its transport and an observer see it', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let catalog: ServiceCatalog;
  let caller: ServiceCaller;
  let events: DiscoveryEvent[];
  let opened: OpenAttempt<Answer>[];
  let seen: unknown[];
  let discarded: Answer[];
  let random: number;

  /** Tells what it is told. */
  const observer: CallObserver = {
    begin: (service, request, now) => {
      seen.push(['begin', service, request, now]);
      return {
        attempt: ({ id }, kind, number) => {
          seen.push(['attempt', id, kind, number]);
          return {
            headers: ['traceparent', `of attempt ${number}`],
            run: (send, attempt) => send(attempt),
            settle: ({ status }, durationMs, outcome, reason, error) =>
              seen.push([
                'settled',
                status,
                durationMs,
                outcome,
                reason,
                (error as Error | undefined)?.message,
              ]),
          };
        },
        fellBack: () => seen.push(['fell back']),
        end: ({ lastStatus, wasCancelled }, failure, error) =>
          seen.push(['end', lastStatus, wasCancelled, failure, (error as Error | undefined)?.message]),
      };
    },
    beginRpc: () => undefined,
    retried: () => undefined,
  };

  const open = (clients: ClientsOptions = {}, watched?: CallObserver): ServiceCaller =>
    (caller = new ServiceCaller(catalog, {
      clock,
      random: () => random,
      clients: { strategy: 'round-robin', ...clients },
      zone: undefined,
      callers: () => undefined,
      probe: undefined,
      emit: (event) => events.push(event),
      onUnused: () => undefined,
      ...(watched && { observer: watched }),
    }));

  beforeEach(async () => {
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    catalog = new ServiceCatalog(registry, {
      clock,
      random: () => 0,
      logger: new RecordingLogger(),
      reconnectSignal: new ReconnectSignal(),
      probe: async () => 'reachable',
      initialListTimeoutMs: 1_000,
    });
    events = [];
    opened = [];
    seen = [];
    discarded = [];
    random = 0;
    for (const port of [1, 2, 3]) registry.put({ service: 'inventory', port });
    await catalog.snapshot('inventory');
    await clock.advance(100);
  });
  afterEach(async () => {
    caller.close();
    await catalog.close();
    await settle();
    expect(clock.pending).toBe(0);
  });

  const keep: Transport<Answer> = (attempt) => void opened.push(attempt);
  const answering =
    (...answers: (Answer | Error)[]): Transport<Answer> =>
    (attempt) => {
      opened.push(attempt);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer instanceof Error) attempt.fail(answer);
      else attempt.succeed(answer ?? '');
    };
  const send = (
    transport: Transport<Answer>,
    options: TransportOptions<Answer> = {},
  ): Promise<CallResult<Answer>> => {
    const sent = caller.send('inventory', transport, {
      discardResponse: (value) => void discarded.push(value),
      ...options,
    });
    sent.catch(() => undefined);
    return sent;
  };
  const portsOf = (): number[] => opened.map(({ instance }) => instance.port);
  const statistics = (): unknown => {
    const { snapshot } = caller.find('inventory')?.statistics ?? {};
    const rates = snapshot && ratesBetween(undefined, snapshot);
    return [rates?.calls, rates?.failed, Math.round(rates?.quantile(1) ?? -1)];
  };
  const inFlight = (): number | undefined => caller.find('inventory')?.load.inFlight;

  it('is told from its beginning to its end, with each attempt', async () => {
    open({}, observer);
    const request = { method: 'GET', path: '/books' };
    const calling = send(keep, { request });
    expect(seen).toEqual([
      ['begin', 'inventory', request, 100],
      ['attempt', 'inventory-2', 'first', 0],
    ]);
    const [attempt] = opened as RunningAttempt<Answer>[];
    expect([attempt?.attempt, attempt?.kind, attempt?.request, attempt?.isOver]).toEqual([
      0,
      'first',
      request,
      false,
    ]);
    await clock.advance(7);
    opened[0]?.succeed(response(201));
    expect((await calling).failure).toBeUndefined();
    expect(seen.slice(2)).toEqual([
      ['settled', 201, 7, 'success', undefined, undefined],
      ['end', 201, false, undefined, undefined],
    ]);
    expect([attempt?.isOver, attempt?.status]).toEqual([true, 201]);
    expect([statistics(), inFlight()]).toEqual([[1, 0, 7], 0]);
  });

  it('tells which attempt is a retry, and of what kind', async () => {
    open({}, observer);
    await send(answering(refused(), response(503), response(200)), { idempotent: true });
    expect(seen.filter((each) => (each as unknown[])[0] === 'attempt')).toEqual([
      ['attempt', 'inventory-2', 'first', 0],
      ['attempt', 'inventory-3', 'transparent-retry', 1],
      ['attempt', 'inventory-1', 'retry', 2],
    ]);
    expect(seen.at(-1)).toEqual(['end', 200, false, undefined, undefined]);
    expect(discarded.map((each) => (each as Response).status)).toEqual([503]);
  });

  it('tells why it failed, and counts it', async () => {
    open({}, observer);
    await expect(send(answering(reset()))).rejects.toMatchObject({ code: 'RK_CALL_FAILED' });
    expect(seen.slice(2)).toEqual([
      ['settled', undefined, 0, 'failure', 'socket hang up', 'socket hang up'],
      ['end', undefined, false, expect.stringContaining('socket hang up'), expect.stringContaining('failed')],
    ]);
    expect(statistics()).toEqual([1, 1, 1]);
  });

  it('tells of a response that is a failure, or an error of the server, and returns it', async () => {
    open({}, observer);
    const failed = await send(answering(response(503)));
    expect([failed.failure, (failed.value as Response).status]).toEqual(['status 503', 503]);
    const broken = await send(answering(response(500)));
    expect([broken.failure, (broken.value as Response).status]).toEqual(['server error', 500]);
    expect(seen.filter((each) => (each as unknown[])[0] === 'end')).toEqual([
      ['end', 503, false, 'status 503', undefined],
      ['end', 500, false, 'server error', undefined],
    ]);
    expect([statistics(), discarded]).toEqual([[2, 2, 1], []]);
  });

  it('counts nothing that its caller cancelled, and tells that it did', async () => {
    open({}, observer);
    const aborting = new AbortController();
    const calling = send(keep, { signal: aborting.signal });
    const cancelled: Error[] = [];
    if (opened[0])
      opened[0].transmission = { cancel: (e) => cancelled.push(e), explainTimeout: () => undefined };
    await clock.advance(5);
    aborting.abort(new Error('the user went away'));
    await expect(calling).rejects.toThrow('the user went away');
    expect([statistics(), inFlight(), cancelled.map(({ message }) => message)]).toEqual([
      [0, 0, -1],
      0,
      ['the user went away'],
    ]);
    expect(seen.at(-1)).toEqual(['end', undefined, true, 'the user went away', 'the user went away']);
    // Its late answer is released.
    opened[0]?.succeed('late');
    opened[0]?.fail(new Error('late'));
    expect(discarded).toEqual(['late']);
  });

  it('is not sent when it was cancelled before, and leaves no listener when it is over', async () => {
    open();
    const aborting = new AbortController();
    const listeners = new Set<() => void>();
    const { signal } = aborting;
    const counted = {
      get aborted() {
        return signal.aborted;
      },
      get reason() {
        return signal.reason as unknown;
      },
      addEventListener: (_type: string, listener: () => void) => void listeners.add(listener),
      removeEventListener: (_type: string, listener: () => void) => void listeners.delete(listener),
    };
    await send(answering('ok'), { signal: counted });
    await send(answering(reset()), { signal: counted }).catch(() => undefined);
    expect(listeners.size).toBe(0);
    aborting.abort(new Error('gone'));
    const before = opened.length;
    await expect(send(answering('ok'), { signal: counted })).rejects.toThrow('gone');
    expect([opened.length, listeners.size]).toEqual([before, 0]);
  });

  it('sends its first attempt at once where the list is known', () => {
    open();
    void send(answering('ok'));
    expect(opened).toHaveLength(1);
  });

  it('waits for the first list within its time', async () => {
    open();
    registry.hang();
    const calling = caller.send('orders', answering('ok'), { timeout: '400ms' });
    calling.catch(() => undefined);
    await clock.advance(399);
    let isOver = false;
    calling.catch(() => (isOver = true));
    await settle();
    expect(isOver).toBe(false);
    await clock.advance(1);
    await expect(calling).rejects.toMatchObject({
      code: 'RK_CALL_TIMEOUT',
      message: expect.stringContaining('timed out waiting for the first instance list'),
    });
    registry.recover();
    registry.put({ service: 'carts', port: 9 });
    expect((await caller.send('carts', answering('ok'), {})).value).toBe('ok');
  });

  it('may be answered by a late list after its caller went away: then nothing is sent', async () => {
    open();
    const aborting = new AbortController();
    const calling = caller.send('carts', answering('ok'), { signal: aborting.signal });
    calling.catch(() => undefined);
    aborting.abort(new Error('gone'));
    registry.put({ service: 'carts', port: 9 });
    await expect(calling).rejects.toThrow('gone');
    expect(opened).toEqual([]);
  });

  it('gives an attempt the time that is left, and a retry what is left of that', async () => {
    open();
    const calling = send(keep, { idempotent: true, timeout: '1s', attemptTimeout: '800ms' });
    await clock.advance(500);
    opened[0]?.fail(reset());
    await settle();
    await clock.advance(25);
    expect(opened.map(({ timeoutMs }) => timeoutMs)).toEqual([800, 500]);
    await clock.advance(500);
    await expect(calling).rejects.toMatchObject({ code: 'RK_CALL_TIMEOUT' });
    expect(caller.find('inventory')?.load).toEqual({ inFlight: 0, ejected: 0 });
  });

  it('counts against an instance that it took half of its usual time, and not less', async () => {
    open({}, observer);
    const outcomeWithin = async (ms: number): Promise<unknown> => {
      const incoming = { deadline: clock.now() + ms, isOver: false };
      const calling = runInCall(incoming, () => send(keep, { timeout: '4s', attemptTimeout: '1s' }));
      // The wheel may be late.
      await clock.advance(ms + 100);
      await expect(calling).rejects.toMatchObject({ code: 'RK_CALL_TIMEOUT' });
      return (seen.filter((each) => (each as unknown[])[0] === 'settled').at(-1) as unknown[])[3];
    };
    expect(await outcomeWithin(1_000)).toBe('failure');
    expect(await outcomeWithin(499)).not.toBe('failure');
    expect(await outcomeWithin(500)).toBe('failure');
  });

  it('is not sent when the deadline of the request that it is a part of has passed', async () => {
    open({}, observer);
    const incoming = { deadline: clock.now(), isOver: false };
    let thrown: unknown;
    try {
      await runInCall(incoming, () => send(keep));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'RK_CALL_TIMEOUT', message: expect.stringContaining('has passed') });
    expect([opened, statistics()]).toEqual([[], [1, 1, 1]]);
    expect(seen.at(-1)).toEqual([
      'end',
      undefined,
      false,
      expect.stringContaining('has passed'),
      expect.any(String),
    ]);
  });

  it('takes with it what travels on from the request that it is a part of, and the trace of its attempt', async () => {
    const headersOf = (attempt: OpenAttempt<Answer> | undefined): unknown => attempt?.contextHeaders;
    const context = { headers: ['x-tenant', 'a', 'traceparent', 'of the request', 'tracestate', 'x=1'] };
    const incoming = { deadline: Infinity, isOver: false, context };
    open();
    void send(answering('ok'));
    void runInCall(incoming, () => send(answering('ok')));
    expect([headersOf(opened[0]), headersOf(opened[1])]).toEqual([undefined, context.headers]);
    caller.close();
    open({}, observer);
    void send(answering('ok'));
    void runInCall(incoming, () => send(answering('ok')));
    expect(headersOf(opened[2])).toEqual(['traceparent', 'of attempt 0']);
    expect(headersOf(opened[3])).toEqual(['x-tenant', 'a', 'traceparent', 'of attempt 0']);
    expect(opened[3]?.headers).toMatchObject({ 'x-tenant': 'a', traceparent: 'of attempt 0' });
    caller.close();
    const untraced: CallObserver = {
      ...observer,
      begin: () => ({
        attempt: () => ({ headers: [], run: (to, attempt) => to(attempt), settle: () => undefined }),
        fellBack: () => undefined,
        end: () => undefined,
      }),
    };
    open({}, untraced);
    void runInCall(incoming, () => send(answering('ok')));
    expect(headersOf(opened[4])).toEqual(context.headers);
  });

  it('asks for the load with a strategy that wants it, and learns it from answers that succeed', async () => {
    const ofLoad = (inFlight: number): Record<string, string> => ({
      'endpoint-load-metrics': `TEXT named_metrics.in_flight=${inFlight}`,
    });
    const reported = (): (number | undefined)[] | undefined =>
      caller.explain('inventory', {})?.pool.usable.map(({ reported: { isKnown } }) => Number(isKnown));
    open({ strategy: 'p2c-load' });
    await send(answering(response(503, ofLoad(7))));
    expect(opened[0]?.contextHeaders).toEqual(['endpoint-load-metrics-format', 'TEXT']);
    expect(reported()).toEqual([0, 0, 0]);
    const context = { headers: ['x-tenant', 'a'] };
    await runInCall({ deadline: Infinity, isOver: false, context }, () => send(answering('no response')));
    expect(opened[1]?.contextHeaders).toEqual(['x-tenant', 'a', 'endpoint-load-metrics-format', 'TEXT']);
    await send(answering(response(200, { 'endpoint-load-metrics': 'in another format' })));
    expect(reported()).toEqual([0, 0, 0]);
    // Each is asked once in a while.
    await clock.advance(10_000);
    await send(answering(response(200, ofLoad(7))));
    expect(reported()?.filter((each) => each === 1)).toHaveLength(1);
    caller.close();
    open();
    await send(answering(response(200, ofLoad(7))));
    expect([opened.at(-1)?.contextHeaders, reported()]).toEqual([undefined, [0, 0, 0]]);
  });

  it('makes ten retries of what was sent at most, and as many as there are instances of those that were not', async () => {
    for (let port = 4; port <= 30; port++) registry.put({ service: 'inventory', port });
    await clock.advance(1_000);
    random = 0;
    open({ retryBudget: { ratio: 1, perSecond: 1_000 } });
    await expect(send(answering(reset()), { idempotent: true, retries: 20 })).rejects.toThrow();
    expect(opened).toHaveLength(11);
    opened.length = 0;
    await expect(send(answering(refused()))).rejects.toThrow();
    expect(opened).toHaveLength(30);
    expect(new Set(portsOf()).size).toBe(30);
  });

  it('does not repeat a local error on every instance', async () => {
    const local = Object.assign(new Error('too many open files'), { code: 'EMFILE' });
    open();
    for (let port = 4; port <= 30; port++) registry.put({ service: 'inventory', port });
    await clock.advance(1_000);
    await expect(send(answering(local))).rejects.toThrow();
    expect(opened.length).toBeLessThanOrEqual(11);
  });

  it('tells once that the budget for retries is used up', async () => {
    open({ retryBudget: { ratio: 0, perSecond: 0 } });
    for (let n = 0; n < 3; n++) await send(answering(response(503)), { idempotent: true });
    expect(opened).toHaveLength(3);
    expect(events.filter(({ type }) => type === 'retryBudget.exhausted')).toHaveLength(1);
  });

  it('does not wait longer for a retry than there is time', async () => {
    open();
    registry.put({ service: 'carts', port: 9 });
    const options = {
      ...{ idempotent: true, timeout: '2s' },
      discardResponse: (value: Answer) => void discarded.push(value),
    };
    const busy = answering(response(503, { 'retry-after': '2' }));
    const last = await caller.send('carts', busy, options);
    expect([opened.length, last.failure]).toEqual([1, 'status 503']);
    expect(discarded).toEqual([]);
  });

  it('releases the response that was to be replaced when its caller goes away meanwhile', async () => {
    random = 1;
    open();
    const aborting = new AbortController();
    const calling = send(answering(response(503)), { idempotent: true, signal: aborting.signal });
    await settle();
    aborting.abort(new Error('gone'));
    await expect(calling).rejects.toThrow('gone');
    await clock.advance(1_000);
    expect(discarded.map((each) => (each as Response).status)).toEqual([503]);
    expect(opened).toHaveLength(1);
  });

  it.each([
    [{ replayableBody: false }, 1],
    [{ replayableBody: false, isBodyUnread: () => false }, 1],
    [{ replayableBody: false, isBodyUnread: () => true }, 3],
    [{}, 3],
  ])('is repeated only with a body that can be sent again: %j', async (options, attempts) => {
    open();
    await expect(send(answering(refused()), options)).rejects.toThrow();
    expect(opened).toHaveLength(attempts);
  });

  it('keeps the words of its last attempt, and whether TLS may be the reason', async () => {
    open();
    const tls = Object.assign(new Error('wrong version number'), { code: 'ERR_SSL_WRONG_VERSION_NUMBER' });
    const failed: unknown = await send(answering(tls)).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(CallError);
    expect((failed as CallError).call).toMatchObject({ service: 'inventory' });
    expect((failed as CallError).cause).toBe(tls);
  });

  it('survives a transport and a rule that throw', async () => {
    open();
    const throwing: Transport<Answer> = () => {
      throw reset();
    };
    await expect(send(throwing)).rejects.toMatchObject({
      code: 'RK_CALL_FAILED',
      cause: { code: 'ECONNRESET' },
    });
    const readResponse = (): never => {
      throw new Error('cannot read it');
    };
    await expect(send(answering('ok'), { readResponse })).rejects.toThrow('cannot read it');
    expect([discarded, inFlight()]).toEqual([['ok'], 0]);
  });

  it('ends once, whatever its transport says then', async () => {
    open();
    const calling = send(keep);
    opened[0]?.succeed('first');
    opened[0]?.succeed('second');
    opened[0]?.fail(new Error('third'));
    expect([(await calling).value, discarded]).toEqual(['first', ['second']]);
    expect(statistics()).toEqual([1, 0, 1]);
  });

  it('is ended when its time is up, with the reason that its transport has, and its signal says so', async () => {
    open();
    const calling = send(keep, { attemptTimeout: '1s', timeout: '1s' });
    const cancelled: string[] = [];
    const [attempt] = opened;
    if (attempt)
      attempt.transmission = {
        cancel: ({ message }) => cancelled.push(message),
        explainTimeout: () => new Error('no connection was free'),
      };
    await clock.advance(1_000);
    await expect(calling).rejects.toThrow('no connection was free');
    expect(cancelled).toEqual(['no connection was free']);
    // Asked for only now.
    expect([attempt?.signal.aborted, (attempt?.signal.reason as Error).message]).toEqual([
      true,
      'no connection was free',
    ]);
  });

  it('is load for as long as its response is read', async () => {
    open();
    const calling = send(keep);
    const release = opened[0]?.hold();
    opened[0]?.succeed('ok');
    await calling;
    expect(inFlight()).toBe(1);
    release?.();
    expect(inFlight()).toBe(0);
  });

  it('backs off from an instance that asks for it', async () => {
    open();
    await send(answering(response(503, { 'retry-after': '30' })));
    const busy = opened[0]?.instance.port;
    opened.length = 0;
    for (let n = 0; n < 6; n++) await send(answering('ok'));
    expect(portsOf()).not.toContain(busy);
  });

  it('falls back when it failed, not when its caller went away, and releases what it does not return', async () => {
    open({}, observer);
    const fallback = (error: Error, value?: Answer): string =>
      `${error.message.slice(0, 25)} ${String(value !== undefined)}`;
    const result = await caller.send('inventory', answering(response(503)), {
      fallback,
      discardResponse: (value) => void discarded.push(value),
    });
    expect(result).toMatchObject({ failure: undefined, call: { service: 'inventory' } });
    expect(result.value).toMatch(/true$/);
    expect([discarded.length, seen.filter((each) => (each as unknown[])[0] === 'fell back').length]).toEqual([
      1, 1,
    ]);
    expect((await caller.send('inventory', answering('ok'), { fallback })).value).toBe('ok');
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(caller.send('inventory', answering('ok'), { fallback, signal })).rejects.toThrow('gone');
  });

  it('says within its time why there is no instance, and asks no longer', async () => {
    open();
    await expect(caller.send('absent', answering('ok'), {})).rejects.toMatchObject({
      code: 'RK_NO_INSTANCES',
    });
    expect(opened).toEqual([]);
  });

  it('is one of the service of an unknown name only when it was sent', async () => {
    open();
    expect(caller.find('inventory')).toBeUndefined();
    expect(caller.peek('inventory', {})).toBeUndefined();
    expect(caller.explain('inventory', { near: '_agent' })).toBeUndefined();
    await send(answering('ok'));
    expect(caller.peek('inventory', {})).toMatchObject({ limits: undefined });
    expect(caller.peek('inventory', { tags: ['a'] })).toBeUndefined();
    expect([...caller.services].map(({ name }) => name)).toEqual(['inventory']);
    expect(caller.now()).toBe(clock.now());
  });

  it('chooses an instance as a call does, by its key', async () => {
    open();
    const chosen = new Set<number>();
    for (let n = 0; n < 3; n++) chosen.add((await caller.choose('inventory')).port);
    expect(chosen.size).toBe(3);
    const byKey = { hashKey: 'a', strategy: 'consistent-hash' } as const;
    const first = await caller.choose('inventory', undefined, byKey);
    for (let n = 0; n < 5; n++) expect(await caller.choose('inventory', undefined, byKey)).toBe(first);
    await expect(caller.choose('inventory', undefined, { hashKey: 'a' })).rejects.toMatchObject({
      code: 'RK_INVALID_ARGUMENT',
    });
    await expect(caller.choose('inventory', { tags: ['none'] })).rejects.toMatchObject({
      code: 'RK_NO_INSTANCES',
    });
    registry.put({ service: 'carts', port: 9 });
    expect((await caller.choose('carts')).port).toBe(9);
    registry.put({ service: 'carts', port: 10 });
    registry.remove('carts-9');
    await clock.advance(1_000);
    expect((await caller.choose('carts')).port).toBe(10);
  });
});
