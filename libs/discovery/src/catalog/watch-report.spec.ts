import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { InstanceSource, type ConnectionUsage, type InstanceList } from '../registry/instance-source.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import { RegistryReachability } from '../registry/registry-reachability.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { SourceQuery } from '../registry/service-query.js';
import type { ProbeResult } from '../registry/tcp-probe.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import type { LastKnownList } from './last-known-list.js';
import { OutageLog } from './outage/outage-log.js';
import { RecoveryPing } from './outage/recovery-ping.js';
import { ServiceWatcher } from './service-watcher.js';

const QUERY: SourceQuery = { datacenter: 'dc2' };
const SCOPE = { service: 'web', list: 'a source for {"datacenter":"dc2"}' };

/** Yields what a test hands it. */
class Source extends InstanceSource {
  override readonly description = 'a source';
  watches = 0;
  consistent: readonly ServiceInstance[] = [];
  pingFails = false;
  #hand: (next: InstanceList | Error) => void = () => undefined;

  override async *watch(
    _service: string,
    _query: SourceQuery,
    signal: AbortSignal,
  ): AsyncGenerator<InstanceList> {
    this.watches++;
    for (;;) {
      const next = await new Promise<InstanceList | Error>((resolve, reject) => {
        this.#hand = resolve;
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
      if (next instanceof Error) throw next;
      yield next;
    }
  }

  override get connections(): ConnectionUsage {
    return { watches: 1, limit: 9, polled: 2 };
  }

  override async services(): Promise<Record<string, string[]>> {
    return {};
  }

  override async close(): Promise<void> {
    // It has nothing open.
  }

  async hand(next: InstanceList | Error): Promise<void> {
    this.#hand(next);
    await settle();
  }

  override async readConsistent(): Promise<readonly ServiceInstance[]> {
    return this.consistent;
  }

  override async ping(): Promise<{ leader: boolean }> {
    if (this.pingFails) throw unreachable;
    return { leader: true };
  }

  override async diagnose(): Promise<string | undefined> {
    return 'it is spelt otherwise';
  }
}

const unreachable = new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'connect ECONNREFUSED');

describe('what a watcher tells', () => {
  let clock: FakeClock;
  let source: Source;
  let events: DiscoveryEvent[];
  let watcher: ServiceWatcher;
  let reconnects: number;
  let outages: string[];
  let isInUse: boolean;
  let sightings: Map<number, ProbeResult>;
  let saved: LastKnownList[];
  let lastKnown: LastKnownList | undefined;
  let loads: number;
  const registry = new InMemoryRegistry();
  const at = (port: number): ServiceInstance => registry.put({ service: 'web', id: `web-${port}`, port });
  const live = (ports: readonly number[], more: Partial<InstanceList> = {}): InstanceList => ({
    ...{ instances: ports.map(at), source: 'live', ...more },
  });
  const of = (type: DiscoveryEvent['type']): DiscoveryEvent[] =>
    events.filter((event) => event.type === type);

  beforeEach(async () => {
    clock = new FakeClock();
    source = new Source();
    [events, outages, saved] = [[], [], []];
    [reconnects, loads] = [0, 0];
    isInUse = true;
    lastKnown = undefined;
    sightings = new Map();
    const reconnectSignal = new ReconnectSignal();
    reconnectSignal.reconnected$.subscribe(() => reconnects++);
    const random = (): number => 1;
    watcher = new ServiceWatcher(source, 'web', QUERY, {
      ...{ clock, random, reconnectSignal },
      outages: new OutageLog(new RecordingLogger(), source.description),
      reachability: new RegistryReachability(clock, {
        onUnreachable: (reason) => outages.push(reason),
        onReachable: (afterMs) => outages.push(`again after ${afterMs} ms`),
      }),
      recoveryPing: new RecoveryPing(source, { clock, random, reconnectSignal }),
      probe: async ({ port }) => sightings.get(port) ?? 'reachable',
      emit: (event) => events.push(event),
      loadLastKnown: async () => {
        loads++;
        return lastKnown;
      },
      saveLastKnown: (list) => saved.push(list),
      isInUse: () => isInUse,
    });
    await settle();
  });
  afterEach(async () => {
    watcher.stop();
    await settle();
    expect(clock.pending).toBe(0);
  });

  it('reports that it starts, and then each list', async () => {
    await clock.advance(300);
    expect(watcher.report).toEqual({
      source: 'a source',
      query: QUERY,
      state: 'starting',
      mode: 'watched',
      index: undefined,
      updates: 0,
      spurious: 0,
      reconnects: 0,
      confirmedAgoMs: undefined,
      uptimeMs: 300,
      failures: 0,
      error: undefined,
      connections: { watches: 1, limit: 9, polled: 2 },
      invalid: [],
    });
    const invalid = [{ id: 'web-9', reason: 'no port' }];
    await source.hand(live([1], { index: '7', mode: 'polled', invalid }));
    await clock.advance(1_000);
    expect(watcher.report).toMatchObject({
      ...{ state: 'current', mode: 'polled', index: '7', updates: 1, spurious: 0, invalid },
      ...{ confirmedAgoMs: 1_000, uptimeMs: 1_300 },
    });
    await source.hand(live([1], { index: '8' }));
    expect(watcher.report).toMatchObject({
      updates: 2,
      spurious: 1,
      index: '8',
      mode: 'watched',
      invalid: [],
    });
    expect(watcher.report.confirmedAgoMs).toBe(0);
  });

  it('tells of each instance that it cannot use, once for each reason', async () => {
    const invalid = [{ id: 'web-9', reason: 'no port' }];
    for (let n = 0; n < 2; n++) {
      await source.hand(live([1], { invalid }));
      await clock.advance(1_000);
    }
    expect(of('instance.invalid')).toEqual([
      { type: 'instance.invalid', ...SCOPE, id: 'web-9', reason: 'no port' },
    ]);
    await source.hand(live([1], { invalid: [{ id: 'web-9', reason: 'no host' }] }));
    expect(of('instance.invalid')).toHaveLength(2);
  });

  it('reports its failures, tells when they begin and end, and counts how often it began again', async () => {
    await source.hand(live([1]));
    await clock.advance(100);
    source.pingFails = true;
    await source.hand(unreachable);
    expect(watcher.report).toMatchObject({
      ...{ state: 'failing', failures: 1, reconnects: 1, error: 'connect ECONNREFUSED' },
    });
    expect([watcher.isFailing, watcher.staleSince]).toEqual([true, 0]);
    expect(outages).toEqual(['connect ECONNREFUSED']);
    await clock.advance(4_000);
    await source.hand(unreachable);
    expect(watcher.report).toMatchObject({ failures: 2, reconnects: 2 });
    expect(of('list.stale')).toEqual([{ type: 'list.stale', ...SCOPE, reason: 'connect ECONNREFUSED' }]);
    await clock.advance(8_000);
    await source.hand(live([1]));
    expect(of('list.recovered')).toEqual([{ type: 'list.recovered', ...SCOPE, afterMs: 12_000 }]);
    expect(outages).toEqual(['connect ECONNREFUSED', 'again after 12000 ms']);
    expect(watcher.report).toMatchObject({ state: 'current', failures: 0, error: undefined });
    expect([watcher.isFailing, watcher.staleSince, reconnects]).toEqual([false, undefined, 1]);
  });

  it('does not call the registry unreachable that answers with an error', async () => {
    await source.hand(live([1]));
    await clock.advance(100);
    await source.hand(new DiscoveryError('RK_ACL_DENIED', 'no'));
    expect(outages).toEqual([]);
    expect(watcher.refusal).toMatchObject({ code: 'RK_ACL_DENIED' });
    expect(watcher.refusal?.message).toMatch(/^no list of "web".* from a source: no/);
  });

  it('reads an empty list again when a call asks for it, at most once a second', async () => {
    await source.hand(live([1]));
    await clock.advance(100);
    watcher.readAgain();
    await clock.advance(200);
    expect(source.watches).toBe(1);
    source.consistent = [];
    sightings.set(1, 'refused');
    await source.hand(live([]));
    await clock.advance(1_000);
    watcher.readAgain();
    await clock.advance(200);
    expect(source.watches).toBe(2);
    await source.hand(live([]));
    watcher.readAgain();
    await clock.advance(799);
    expect(source.watches).toBe(2);
    watcher.readAgain();
    await clock.advance(200);
    expect(source.watches).toBe(2);
    watcher.readAgain();
    await clock.advance(200);
    expect(source.watches).toBe(3);
    await source.hand(unreachable);
    await clock.advance(1_500);
    watcher.readAgain();
    await clock.advance(200);
    expect(source.watches).toBe(3);
  });

  it('explains why an instance is suspect, and reports it', async () => {
    await source.hand(live([1, 2]));
    await clock.advance(100);
    source.consistent = [];
    await source.hand(live([]));
    expect(watcher.explain(at(1))).toEqual({
      state: 'suspect',
      reason: expect.stringMatching(/^the registry has not listed it for 0 ms; /) as unknown,
    });
    expect(watcher.report.state).toBe('suspect');
    expect(of('list.suspect')).toEqual([
      expect.objectContaining({ ...SCOPE, missing: ['web-1', 'web-2'] }) as unknown as DiscoveryEvent,
    ]);
    // What is not certain is not kept for a later start.
    expect(saved.map(({ instances }) => instances.length)).toEqual([2]);
    expect(saved[0]).toMatchObject({ source: 'live', confirmedAt: expect.any(Number) as unknown });
  });

  it('takes the list of a consistent read that has the suspects, and begins the watch anew', async () => {
    await source.hand(live([1, 2], { index: '5' }));
    await clock.advance(100);
    source.consistent = [at(1), at(2), at(3)];
    await source.hand(live([], { index: '6' }));
    await clock.advance(300);
    expect(watcher.snapshot?.instances.map(({ port }) => port)).toEqual([1, 2, 3]);
    expect(watcher.snapshot?.source).toBe('live');
    expect(watcher.report.index).toBe('6');
    expect(source.watches).toBe(2);
  });

  it('explains which instance did not answer a probe, and tells when it does again', async () => {
    await source.hand(live([1, 2]));
    await clock.advance(100);
    source.pingFails = true;
    sightings.set(2, 'timeout');
    await source.hand(unreachable);
    await clock.advance(500);
    const reason = 'probed while the registry is unreachable: no response';
    expect(watcher.explain(at(2))).toEqual({ state: 'unreachable', reason });
    expect(watcher.explain(at(1))).toBeUndefined();
    sightings.set(2, 'unknown');
    await clock.advance(6_000);
    sightings.set(2, 'timeout');
    await clock.advance(6_000);
    expect(of('instance.unreachable')).toEqual([
      { type: 'instance.unreachable', ...SCOPE, id: 'web-2', reason },
    ]);
    sightings.delete(2);
    await clock.advance(6_000);
    expect(of('instance.reachable')).toEqual([
      { type: 'instance.reachable', ...SCOPE, id: 'web-2', reason: 'it accepts connections again' },
    ]);
  });

  it('probes no instance of a service that no calls are made to', async () => {
    await source.hand(live([1, 2]));
    await clock.advance(100);
    source.pingFails = true;
    isInUse = false;
    sightings.set(2, 'refused');
    await source.hand(unreachable);
    await clock.advance(10_000);
    expect(watcher.snapshot?.unreachable).toEqual([]);
  });

  it('restores a list once, and tells how old it is', async () => {
    lastKnown = { instances: [at(8)], source: 'disk', confirmedAt: Date.now() - 5_000 };
    source.pingFails = true;
    await source.hand(unreachable);
    const [restored] = of('snapshot.restored');
    expect(restored).toMatchObject({ ...SCOPE, instances: 1 });
    const { ageMs } = restored as Extract<DiscoveryEvent, { type: 'snapshot.restored' }>;
    expect(ageMs).toBeGreaterThanOrEqual(5_000);
    expect(ageMs).toBeLessThan(60_000);
    await clock.advance(4_000);
    await source.hand(unreachable);
    expect(loads).toBe(1);
    expect(of('snapshot.restored')).toHaveLength(1);
  });

  it('says why there is no list', async () => {
    expect(watcher.hasResult).toBe(false);
    const late = watcher.firstResult(50).catch((error: unknown) => error);
    await clock.advance(50);
    expect(await late).toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    expect(((await late) as Error).message).toMatch(/from a source: no response in 50 ms/);
    await source.hand(new DiscoveryError('RK_UNKNOWN_DATACENTER', 'no path to "dc2"'));
    const error = watcher.noListError();
    expect(error).toMatchObject({ code: 'RK_UNKNOWN_DATACENTER', cause: { message: 'no path to "dc2"' } });
    await clock.advance(4_000);
    await source.hand(new DiscoveryError('RK_REGISTRY_TIMEOUT', 'no answer'));
    expect(watcher.noListError()).toMatchObject({
      code: 'RK_REGISTRY_UNREACHABLE',
      cause: { message: 'no answer' },
    });
    expect(watcher.noListError().hint).toMatch(/^Calls work as soon as the registry responds once/);
    expect(await watcher.diagnose()).toBe('it is spelt otherwise');
    watcher.stop();
    expect(await watcher.diagnose()).toBeUndefined();
  });

  it('says that it has been stopped', () => {
    watcher.stop();
    expect(watcher.noListError().message).toMatch(/discovery has been shut down/);
  });
});
