import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { ServiceCatalog } from '../catalog/service-catalog.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { CallError } from './call-error.js';
import { withCalls } from './call-explanation.js';
import type { ClientsOptions } from './options/client-options.js';
import { runInCall } from './incoming-call.js';
import type { Attempt } from './running-attempt.js';
import type { CallOptions } from './options/call-options.js';
import { attemptTransport } from './running-attempt.js';
import { ServiceCaller } from './service-caller.js';
import { countsAsFailure } from './failure-rules.js';

const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const reset = (): Error => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });

describe('ServiceCaller', () => {
  let clock: FakeClock;
  let registry: InMemoryRegistry;
  let catalog: ServiceCatalog;
  let caller: ServiceCaller;
  const events: DiscoveryEvent[] = [];
  const callers: ServiceCaller[] = [];
  const createCaller = (clients: ClientsOptions, zone?: string): ServiceCaller => {
    const created = new ServiceCaller(catalog, {
      clock,
      random: () => 0,
      clients,
      zone,
      callers: () => undefined,
      probe: undefined,
      emit: (event) => events.push(event),
      onUnused: () => undefined,
    });
    callers.push(created);
    return created;
  };

  beforeEach(() => {
    clock = new FakeClock();
    registry = new InMemoryRegistry();
    const logger = new RecordingLogger();
    catalog = new ServiceCatalog(registry, {
      clock,
      random: () => 0,
      logger,
      reconnectSignal: new ReconnectSignal(),
      probe: async () => 'reachable',
      initialListTimeoutMs: 1_000,
    });
    events.length = 0;
    caller = createCaller({ strategy: 'round-robin' });
    for (const port of [1, 2, 3]) registry.put({ service: 'inventory', port });
  });
  afterEach(async () => {
    for (const created of callers.splice(0)) created.close();
    await catalog.close();
    await settle();
    expect(clock.pending).toBe(0);
  });

  it('calls the instances in turn, and reads the registry only once', async () => {
    const ports: number[] = [];
    for (let n = 0; n < 6; n++) {
      await caller.call('inventory', async ({ port }) => ports.push(port));
    }
    expect(ports).toEqual([2, 3, 1, 2, 3, 1]);
    expect(registry.requests.watch).toBe(1);
  });

  it('tries the next instance when nothing was sent, and reports its attempts', async () => {
    const { value, call } = await caller.call('inventory', async ({ port }: ServiceInstance) => {
      if (port !== 1) throw refused();
      return 'answer';
    });
    expect(value).toBe('answer');
    expect(call.attempts.map(({ instance, reason }) => [instance, reason])).toEqual([
      ['inventory-2', 'connect ECONNREFUSED'],
      ['inventory-3', 'connect ECONNREFUSED'],
      ['inventory-1', undefined],
    ]);
  });

  it('does not repeat what may have been sent', async () => {
    let attempts = 0;
    const call = caller.call('inventory', async () => {
      attempts++;
      throw reset();
    });
    await expect(call).rejects.toMatchObject({ code: 'RK_CALL_FAILED', cause: { code: 'ECONNRESET' } });
    expect(attempts).toBe(1);
  });

  it('does not repeat a call whose body is not replayable', async () => {
    let attempts = 0;
    const attempt = async (): Promise<never> => {
      attempts++;
      throw refused();
    };
    await expect(caller.call('inventory', attempt, { replayableBody: false })).rejects.toBeInstanceOf(
      CallError,
    );
    expect(attempts).toBe(1);
  });

  it('lists every attempt when all instances refuse', async () => {
    const error: unknown = await caller
      .call('inventory', async () => Promise.reject(refused()))
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CallError);
    expect((error as CallError).call.attempts).toHaveLength(3);
    expect((error as CallError).message).toMatch(
      /call to "inventory" failed: inventory-2 at 127\.0\.0\.1:2: connect ECONNREFUSED after 0 ms; inventory-3/,
    );
  });

  it('ends an attempt that ignores its deadline, and aborts its signal', async () => {
    let seen: AbortSignal | undefined;
    const call = caller.call(
      'inventory',
      (_, signal) => {
        seen = signal;
        return new Promise(() => undefined);
      },
      { attemptTimeout: '2s' },
    );
    const failure = call.catch((error: unknown) => error);
    await clock.advance(1_999);
    expect(seen?.aborted).toBe(false);
    await clock.advance(1);
    expect(seen?.aborted).toBe(true);
    expect(await failure).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
  });

  it('bounds the whole call, all attempts together', async () => {
    const slowRefusal = (_: ServiceInstance, signal: AbortSignal): Promise<never> =>
      new Promise((_resolve, reject) => {
        const cancel = clock.after(700, () => reject(refused()));
        signal.addEventListener('abort', cancel);
      });
    const call = caller.call('inventory', slowRefusal, { timeout: '1s' });
    const failure = call.catch((error: unknown) => error);
    await clock.advance(1_000);
    expect(await failure).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
  });

  it("ends with the caller's signal, whatever the attempt does", async () => {
    const aborting = new AbortController();
    const call = caller.call('inventory', () => new Promise(() => undefined), { signal: aborting.signal });
    await settle();
    aborting.abort(new Error('the user went away'));
    await expect(call).rejects.toThrow('the user went away');
  });

  it('uses a warning instance if there is no passing one, and reports what the registry lists when none is usable', async () => {
    for (const port of [1, 2, 3])
      registry.setStatus(`inventory-${port}`, port === 3 ? 'warning' : 'critical');
    const { call } = await caller.call('inventory', async () => 1);
    expect(call.attempts[0]?.instance).toBe('inventory-3'); // in need
    registry.setStatus('inventory-3', 'maintenance');
    await clock.advance(1_000);
    await expect(caller.call('inventory', async () => 1)).rejects.toThrow(
      /no usable instance of "inventory"\. The registry lists 2 critical, 1 maintenance/,
    );
    await expect(caller.choose('absent')).rejects.toMatchObject({ code: 'RK_NO_INSTANCES' });
  });

  it('refuses an unknown option, and says why a query matches no instance', async () => {
    const typo = caller.call('inventory', async () => 1, { qeury: {} } as CallOptions);
    await expect(typo).rejects.toThrow(/call\.qeury: unknown option/);
    for (const [field, value] of [
      ['retries', -1],
      ['retries', 1.5],
      ['strategy', 'nope'],
      ['strategy', class {}],
      ['hedge', 5],
      ['hedge', { afterr: 1 }],
      ['hashKey', 7],
      ['idempotent', 'yes'],
      ['fallback', 3],
      ['query', 7],
      ['query', null],
      ['timeout', null],
      ['timeout', 'abc'],
      ['hedge', { budget: 'x' }],
      ['isFailure', true],
      ['signal', {}],
    ] as const) {
      const wrong = caller.call('inventory', async () => 1, { [field]: value });
      await expect(wrong).rejects.toMatchObject({
        code: 'RK_INVALID_ARGUMENT',
        message: expect.stringContaining(`call.${field} = `) as unknown,
      });
    }
    const unheeded = caller.call('inventory', async () => 1, { hashKey: 'k' });
    await expect(unheeded).rejects.toThrow(
      /strategy round-robin does not use hashKey\. Use strategy: 'consistent-hash'/,
    );
    await expect(caller.call('inventory', undefined as never)).rejects.toThrow(
      /attempt = undefined: must be/,
    );
    await expect(caller.choose('inventory', {}, { hashkey: 'k' } as object)).rejects.toThrow(
      /call\.hashkey: unknown/,
    );
    const none = caller.call('inventory', async () => 1, { query: { version: '^9' } });
    await expect(none).rejects.toThrow(
      /No instance matches; discovery\.explain\('inventory', query\) shows why/,
    );
  });

  it('F08 registry unreachable for an hour: no call fails, and the age of the list rises', async () => {
    await caller.call('inventory', async () => 1);
    registry.fail();
    let ageMs = 0;
    for (let second = 0; second < 3_600; second++) {
      await clock.advance(1_000);
      const { call } = await caller.call('inventory', async () => 1);
      expect(call.attempts).toHaveLength(1);
      if (second % 600 > 0) continue;
      const snapshot = await catalog.snapshot('inventory');
      expect(snapshot.ageMs).toBeGreaterThan(ageMs);
      ({ ageMs } = snapshot);
    }
    expect(ageMs).toBeGreaterThan(3_000_000 - 1);
  });

  describe('a call that was sent', () => {
    const once = (fault: () => Error): ((instance: ServiceInstance) => Promise<number>) => {
      let attempts = 0;
      return async ({ port }) => {
        if (attempts++ === 0) throw fault();
        return port;
      };
    };
    const readResponse = ({ status }: { status: number }) => ({
      status,
      retryAfter: undefined,
      isMisdirected: false,
    });

    it('is retried on another instance if it is idempotent, after a backoff, and within its limit', async () => {
      const call = caller.call('inventory', once(reset), { idempotent: true });
      await clock.advance(25);
      expect((await call).call.attempts.map(({ instance, reason }) => [instance, reason])).toEqual([
        ['inventory-2', 'socket hang up'],
        ['inventory-3', undefined],
      ]);
      const failing = caller.call('inventory', async () => Promise.reject(reset()), {
        idempotent: true,
        retries: 2,
      });
      const failure = failing.catch((error: unknown) => error);
      await clock.advance(1_000);
      expect((await failure) as CallError).toMatchObject({ call: { attempts: { length: 3 } } });
    });

    it('is retried on the same instance if there is no other', async () => {
      for (const port of [1, 2]) registry.remove(`inventory-${port}`);
      const call = caller.call('inventory', once(reset), { idempotent: true });
      await clock.advance(100);
      expect((await call).call.attempts).toHaveLength(2);
    });

    it('returns the response of the last attempt, whatever its status, and discards the one before', async () => {
      const dropped: object[] = [];
      const given = [{ status: 503 }, { status: 502 }];
      const answer = attemptTransport(async ({ port }) => given[port - 2] ?? { status: 200 });
      const call = caller.send('inventory', answer, {
        idempotent: true,
        readResponse,
        discardResponse: (value) => dropped.push(value),
      });
      await clock.advance(100);
      const { value, call: report } = await call;
      expect(value).toEqual({ status: 502 });
      expect(dropped).toEqual([{ status: 503 }]);
      expect(report.attempts.map(({ reason }) => reason)).toEqual(['status 503', 'status 502']);
    });

    it('F32 is not retried when the retry budget is exhausted', async () => {
      for (let n = 4; n < 40; n++) registry.put({ service: 'inventory', port: n });
      let attempts = 0;
      const failing = async (): Promise<never> => {
        attempts++;
        throw reset();
      };
      const calls = Array.from({ length: 500 }, () =>
        caller.call('inventory', failing, { idempotent: true }).catch(() => undefined),
      );
      await clock.advance(5_000);
      await Promise.all(calls);
      expect(attempts).toBeLessThanOrEqual(500 * 1.2 + 10 + 20);
    });

    it('F34 is not retried where all instances fail', async () => {
      let attempts = 0;
      const failing = async (): Promise<never> => {
        attempts++;
        throw reset();
      };
      for (let n = 0; n < 200; n++) {
        const call = caller.call('inventory', failing, { idempotent: true }).catch(() => undefined);
        await clock.advance(50);
        await call;
      }
      expect(attempts).toBeLessThan(240);
      expect(events.filter(({ type }) => type === 'instance.ejected')).toEqual([]);
      // And they are back at once.
      const { call } = await caller.call('inventory', async () => 1);
      expect(call.attempts).toHaveLength(1);
    });

    it('F37 is retried elsewhere when it was misdirected, a POST too, and the instance is ejected', async () => {
      const wrong = { status: 421 };
      const answer = attemptTransport(async ({ port }) => (port === 2 ? wrong : { status: 200 }));
      const call = caller.send('inventory', answer, {
        readResponse: ({ status }) => ({ status, retryAfter: undefined, isMisdirected: status === 421 }),
      });
      const { value, call: report } = await call;
      expect(value.status).toBe(200);
      expect(report.attempts[0]?.reason).toBe('address now serves another service (421)');
      expect(events).toMatchObject([{ type: 'instance.ejected', id: 'inventory-2' }]);
    });

    it('waits for the Retry-After of the only instance, and otherwise goes to another one', async () => {
      for (const port of [1, 2]) registry.remove(`inventory-${port}`);
      const limited = new Set([3, 4]);
      registry.put({ service: 'inventory', port: 4 });
      const options = (retries: number) => ({
        idempotent: true,
        retries,
        readResponse: ({ status }: { status: number }) => ({
          status,
          retryAfter: status === 429 ? '2' : undefined,
          isMisdirected: false,
        }),
      });
      const answer = attemptTransport(async ({ port }) => ({ status: limited.has(port) ? 429 : 200 }));
      const call = caller.send('inventory', answer, options(2));
      await clock.advance(500);
      limited.clear();
      await clock.advance(2_000);
      expect((await call).value.status).toBe(200);
      // A rate limit may concern one user: no instance is ejected for it.
      expect(events).toEqual([]);
      // A call without enough time left gets the response.
      limited.add(3).add(4);
      const hasty = caller.send('inventory', answer, { ...options(2), timeout: '1s' });
      await clock.advance(500);
      expect((await hasty).value.status).toBe(429);
    });

    it('is not started when it was aborted right after the call', async () => {
      let attempts = 0;
      const aborting = new AbortController();
      const call = caller.call('inventory', async () => attempts++, { signal: aborting.signal });
      aborting.abort(new Error('the user went away'));
      await expect(call).rejects.toThrow('the user went away');
      expect(attempts).toBe(0);
    });

    it('discards a response that it does not return', async () => {
      const dropped: object[] = [];
      const options = { readResponse: readResponse, discardResponse: (value: object) => dropped.push(value) };
      const bad = { status: 503 };
      const answer = attemptTransport(async () => bad);
      await caller.send('inventory', answer, {
        ...options,
        fallback: (_, last) => ({ ...last, status: 200 }),
      });
      expect(dropped).toEqual([bad]);
      const handedOn = await caller.send('inventory', answer, {
        ...options,
        fallback: (_, last) => last ?? bad,
      });
      expect([handedOn.value, dropped]).toEqual([bad, [bad]]);
      const thrower = (): never => {
        throw new TypeError('not that');
      };
      await caller.send('inventory', answer, { ...options, isFailure: thrower }).catch(() => undefined);
      expect(dropped).toEqual([bad, bad]);
    });

    it('F32 reaches the only healthy instance, however many others refuse', async () => {
      for (let n = 4; n <= 10; n++) registry.put({ service: 'inventory', port: n });
      let failed = 0;
      for (let n = 0; n < 200; n++) {
        const attempt = async ({ port }: ServiceInstance): Promise<number> =>
          port === 7 ? port : Promise.reject(refused());
        await caller.call('inventory', attempt).catch(() => failed++);
      }
      expect(failed).toBe(0);
    });
  });

  it("counts nothing against an instance when the caller's own deadline ended the attempt", async () => {
    const within = (): Promise<unknown> =>
      runInCall({ deadline: clock.now() + 20, isOver: false }, () =>
        caller.call('inventory', () => new Promise(() => undefined)),
      ).catch((error: unknown) => error);
    for (let n = 0; n < 30; n++) {
      const call = within();
      await clock.advance(40);
      expect(await call).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
    }
    expect(events).toEqual([]);
  });

  it('takes a custom failure rule, and survives one that throws', async () => {
    const mine = caller.call('inventory', async ({ port }) => ({ code: port === 2 ? 14 : 0 }), {
      idempotent: true,
      isFailure: ({ value }) => (value as { code: number } | undefined)?.code === 14,
    });
    await clock.advance(100);
    expect((await mine).value.code).toBe(0);
    const thrower = (): never => {
      throw new TypeError('not that');
    };
    await expect(caller.call('inventory', async () => 1, { isFailure: thrower })).rejects.toThrow('not that');
    const both = caller.call('inventory', async () => Promise.reject(reset()), { isFailure: thrower });
    await expect(both).rejects.toThrow('not that');
  });

  describe('a hedge', () => {
    const slowAt =
      (slow: number, ms: number, aborted: number[] = []) =>
      ({ port }: ServiceInstance, signal: AbortSignal): Promise<number> =>
        new Promise((resolve, reject) => {
          const cancel = clock.after(port === slow ? ms : 5, () => resolve(port));
          signal.addEventListener('abort', () => {
            cancel();
            aborted.push(port);
            reject(new Error('aborted'));
          });
        });

    it('overtakes a slow first attempt, which is cancelled', async () => {
      const aborted: number[] = [];
      const call = caller.call('inventory', slowAt(2, 1_000, aborted), {
        idempotent: true,
        hedge: { delay: 50 },
      });
      await clock.advance(70);
      const { value, call: report } = await call;
      expect([value, aborted]).toEqual([3, [2]]);
      expect(report.attempts.map(({ instance, reason }) => [instance, reason])).toEqual([
        ['inventory-3', undefined],
        ['inventory-2', 'another attempt was answered first'],
      ]);
    });

    it('is sent for idempotent calls only, and within its budget', async () => {
      const counted: number[] = [];
      let attempts = 0;
      const slow = ({ port }: ServiceInstance, signal: AbortSignal): Promise<number> => {
        attempts++;
        return slowAt(port, 200)({ port } as ServiceInstance, signal);
      };
      for (let n = 0; n < 100; n++) {
        const call = caller.call('inventory', slow, {
          idempotent: n > 0,
          hedge: { delay: 20, budget: 0.1 },
        });
        await clock.advance(220);
        await call;
        counted.push(attempts);
      }
      expect(counted[0]).toBe(1);
      expect(attempts).toBeGreaterThan(105);
      expect(attempts).toBeLessThanOrEqual(112);
    });

    it('is delayed by the 95th percentile of latency by default', async () => {
      for (let n = 0; n < 30; n++) {
        const call = caller.call('inventory', slowAt(0, 0), { idempotent: true, hedge: true });
        await clock.advance(10);
        await call;
      }
      const [target] = (await catalog.snapshot('inventory')).usable;
      expect(target).toBeDefined();
      const call = caller.call('inventory', slowAt(2, 1_000), { idempotent: true, hedge: true });
      await clock.advance(40);
      expect((await call).value).not.toBe(2);
    });

    it('fails only when both attempts have failed', async () => {
      const call = caller.call(
        'inventory',
        ({ port }) =>
          new Promise((resolve, reject) => {
            clock.after(port === 2 ? 100 : 30, () => (port === 2 ? resolve('late') : reject(reset())));
          }),
        { idempotent: true, hedge: { delay: 10 } },
      );
      await clock.advance(200);
      expect((await call).value).toBe('late');
    });
  });

  describe('within an incoming request', () => {
    it('ends when the caller gives up, and does not start if it already has', async () => {
      const within = (timeout: number) =>
        runInCall({ deadline: clock.now() + timeout, isOver: false }, () =>
          caller.call('inventory', () => new Promise(() => undefined)),
        ).catch((error: unknown) => error);
      const call = within(300);
      await clock.advance(310);
      expect(await call).toMatchObject({ code: 'RK_CALL_TIMEOUT', call: { attempts: { length: 1 } } });
      expect(await within(0)).toMatchObject({
        code: 'RK_CALL_TIMEOUT',
        message: /who asked for it has given up/,
        call: { attempts: { length: 0 } },
      });
    });

    it('has its full timeout for work that goes on after the response', async () => {
      const request = { deadline: clock.now() + 100, isOver: false };
      const job = runInCall(
        request,
        () => async () => (await caller.call('inventory', async () => 'done')).value,
      );
      const later = runInCall(
        request,
        () => new Promise((resolve) => clock.after(5_000, () => resolve(job()))),
      );
      await clock.advance(50);
      request.isOver = true;
      await clock.advance(10_000);
      expect(await later).toBe('done');
    });

    it('sends its deadline, and to an instance of Rookery the name of the service', async () => {
      const headers: object[] = [];
      const note: Attempt<number> = async (_, __, context) => headers.push(context.headers);
      await caller.call('inventory', note, { timeout: '2s' });
      registry.put({ service: 'ours', port: 9, meta: { 'rookery-ready': '/health/ready' } });
      await caller.call('ours', note);
      expect(headers).toEqual([
        { 'rookery-timeout': '2000' },
        { 'rookery-timeout': '5000', 'rookery-service': 'ours', 'rookery-address': '127.0.0.1:9' },
      ]);
    });
  });

  describe('a service with limits of its own', () => {
    it('is not called while its circuit is open, and uses the fallback', async () => {
      caller = createCaller({
        services: { inventory: { circuitBreaker: { minimumCalls: 5, openFor: '1s' } } },
      });
      let attempts = 0;
      let isDown = true;
      const attempt = async (): Promise<string> => {
        attempts++;
        if (isDown) throw reset();
        return 'real';
      };
      for (let n = 0; n < 5; n++) await caller.call('inventory', attempt).catch(() => undefined);
      await expect(caller.call('inventory', attempt)).rejects.toMatchObject({ code: 'RK_CIRCUIT_OPEN' });
      const { value } = await caller.call('inventory', attempt, { fallback: (error) => error.name });
      expect([value, attempts]).toEqual(['CallError', 5]);
      isDown = false;
      await clock.advance(1_000);
      expect((await caller.call('inventory', attempt)).value).toBe('real');
      expect(events.map(({ type }) => type)).toEqual(['circuit.opened', 'circuit.closed']);
      // A response that counts as a failure carries it as well; another one does not.
      const answered = caller.call('inventory', async () => 'bad', {
        isFailure: ({ value: got }) => got === 'bad',
        fallback: () => 'fallen back',
      });
      expect((await answered).value).toBe('fallen back');
    });

    it('limits concurrent calls, and queues the others within their deadline', async () => {
      caller = createCaller({ services: { inventory: { bulkhead: { concurrency: 1, queue: 2 } } } });
      const work = (): Promise<string> => new Promise((resolve) => clock.after(100, () => resolve('done')));
      const calls = [0, 1].map(() => caller.call('inventory', work).catch((error: unknown) => error));
      const hasty = caller.call('inventory', work, { timeout: 50 }).catch((error: unknown) => error);
      await settle();
      await expect(caller.call('inventory', work)).rejects.toMatchObject({ code: 'RK_OVERLOADED' });
      await clock.advance(60);
      expect(await hasty).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
      await clock.advance(300);
      expect(await Promise.all(calls)).toMatchObject([{ value: 'done' }, { value: 'done' }]);
      const aborting = new AbortController();
      const first = caller.call('inventory', work);
      const waiting = caller.call('inventory', work, { signal: aborting.signal });
      await settle();
      aborting.abort(new Error('the user went away'));
      await expect(waiting).rejects.toThrow('the user went away');
      await clock.advance(100);
      await first;
      expect(caller.find('inventory')?.bulkhead?.inFlight).toBe(0);
    });

    it('has its own defaults, and a strategy for each call', async () => {
      caller = createCaller({ timeout: '1s', services: { inventory: { strategy: 'sticky' } } });
      const ports = new Set<number>();
      for (let n = 0; n < 9; n++) await caller.call('inventory', async ({ port }) => ports.add(port));
      expect(ports.size).toBe(1);
      for (let n = 0; n < 3; n++)
        await caller.call('inventory', async ({ port }) => ports.add(port), { strategy: 'round-robin' });
      expect(ports.size).toBe(3);
      const slow = caller
        .call('inventory', () => new Promise(() => undefined))
        .catch((error: unknown) => error);
      await clock.advance(1_010);
      expect(await slow).toMatchObject({ code: 'RK_CALL_TIMEOUT' });
    });
  });

  it('reads a Response of fetch as HTTP', async () => {
    const statuses = [503, 200];
    const call = caller.call('inventory', async () => new Response('', { status: statuses.shift() ?? 200 }), {
      idempotent: true,
    });
    await clock.advance(100);
    expect((await call).value.status).toBe(200);
    const mine = caller.call('inventory', async () => new Response('', { status: 500 }), {
      isFailure: (outcome) => outcome.status === 500 || countsAsFailure(outcome),
      fallback: (error) => new Response(error.message),
    });
    expect(await (await mine).value.text()).toMatch(/status 500/);
  });

  it('does not run a second attempt in the async context of another call', async () => {
    const users = new AsyncLocalStorage<string>();
    const seen: string[] = [];
    const callAs = (user: string): Promise<unknown> =>
      users.run(user, () =>
        caller.call(
          'inventory',
          () => {
            seen.push(users.getStore() ?? 'absent');
            return new Promise((resolve) => clock.after(30, () => resolve(1)));
          },
          { idempotent: true, hedge: { delay: 10, budget: 1 } },
        ),
      );
    const calls = [callAs('alice'), callAs('bob')];
    await clock.advance(100);
    await Promise.all(calls);
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.filter((user) => user === 'absent')).toEqual([]);
    expect(seen.filter((user) => user === 'alice').length).toBeLessThanOrEqual(2);
    expect(seen.filter((user) => user === 'bob').length).toBeLessThanOrEqual(2);
  });

  it('explains the state of its instances', async () => {
    for (let n = 0; n < 12; n++) {
      await caller
        .call('inventory', async ({ port }) => (port === 2 ? Promise.reject(reset()) : 1))
        .catch(() => undefined);
      await caller.call('inventory', async () => 1, { strategy: 'random' }).catch(() => undefined);
    }
    for (let n = 0; n < 6; n++)
      await caller
        .call('inventory', async ({ port }) => (port === 2 ? Promise.reject(reset()) : 1))
        .catch(() => undefined);
    const { instances } = withCalls(await catalog.explain('inventory'), caller);
    expect(instances.map(({ calls }) => calls)).not.toContain(undefined);
    for (const { calls } of instances) expect(calls?.inFlight).toBe(0);
  });

  it('explains why an instance gets no calls: its weight, its zone, the subset', async () => {
    const stateOf = async (service: string): Promise<Record<string, string[]>> => {
      const { instances } = withCalls(await catalog.explain(service), caller);
      const states: Record<string, string[]> = {};
      for (const { id, state } of instances) (states[state] ??= []).push(id);
      return states;
    };
    registry.put({ service: 'weighted', port: 1 });
    registry.put({ service: 'weighted', port: 2, weight: 0 });
    expect(await stateOf('weighted')).toEqual({ eligible: ['weighted-1'], 'zero-weight': ['weighted-2'] });

    for (let port = 1; port <= 120; port++) registry.put({ service: 'large', port });
    const large = await stateOf('large');
    expect([large.eligible?.length, large['outside-subset']?.length]).toEqual([100, 20]);

    caller = createCaller({}, 'eu-1a');
    for (let port = 1; port <= 8; port++)
      registry.put({ service: 'zoned', port, zone: port <= 4 ? 'eu-1a' : 'eu-1b' });
    const zoned = await stateOf('zoned');
    expect([zoned.eligible?.length, zoned['other-zone']?.length]).toEqual([4, 4]);
  });

  it('explains an open circuit and a bulkhead', async () => {
    caller = createCaller({ circuitBreaker: { minimumCalls: 5 }, bulkhead: { concurrency: 3, queue: 2 } });
    const limits = async (): Promise<unknown> => withCalls(await catalog.explain('inventory'), caller).limits;
    expect(await limits()).toEqual({ circuit: 'closed', bulkhead: { inFlight: 0, queued: 0, limit: 3 } });
    for (let n = 0; n < 6; n++)
      await caller.call('inventory', async () => Promise.reject(reset())).catch(() => undefined);
    expect(await limits()).toMatchObject({ circuit: 'open' });
  });

  it('F42 keeps no state of finished calls, nor of unknown services', async () => {
    for (let n = 0; n < 1_200; n++)
      await caller.call(`made-up-${n}`, async () => 1, { timeout: 10 }).catch(() => undefined);
    expect(caller.find('made-up-0')).toBeUndefined();
    expect(caller.find('made-up-1199')).toBeDefined();
  });
});
