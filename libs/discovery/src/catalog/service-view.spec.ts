import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import { ReplaySubject } from 'rxjs';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { freezeInstance, instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import type { ServiceQuery } from '../registry/service-query.js';
import { nextSnapshot } from './next-snapshot.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import { ServiceView, type ViewSource } from './service-view.js';
import type { ServiceWatcher } from './service-watcher.js';

const instance = (port: number, changes: Partial<ServiceInstance> = {}): ServiceInstance =>
  freezeInstance({
    ...{ id: `inventory-${port}`, service: 'inventory', address: '10.0.0.1', port, secure: false },
    ...{ tags: [], meta: {}, status: 'passing', weight: 1, zone: undefined, node: 'n1', datacenter: 'dc1' },
    ...changes,
  });

/** A watched list that says what it is told to. */
class FakeWatcher {
  readonly snapshots$ = new ReplaySubject<ServiceSnapshot>(1);
  snapshot: ServiceSnapshot | undefined;
  hasResult = false;
  refusal: DiscoveryError | undefined;
  readAgains = 0;
  readonly waits: number[] = [];
  readonly #name: string;
  #onResult: (() => void)[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  lists(
    instances: readonly ServiceInstance[],
    more: {
      unreachable?: readonly ServiceInstance[];
      suspects?: readonly ServiceInstance[];
      ageMs?: number;
    } = {},
  ): void {
    const keys = (of: readonly ServiceInstance[] = []): ReadonlySet<string> => new Set(of.map(instanceKey));
    this.snapshot =
      nextSnapshot(this.snapshot, {
        ...{ service: 'inventory', instances, source: 'live', receivedAt: 1_000 },
        suspects: keys(more.suspects),
        unreachable: keys(more.unreachable),
        ageMs: () => more.ageMs ?? 10,
      }) ?? this.snapshot;
    this.hasResult = true;
    if (this.snapshot) this.snapshots$.next(this.snapshot);
    for (const resolve of this.#onResult.splice(0)) resolve();
  }

  fails(refusal?: DiscoveryError): void {
    this.hasResult = true;
    this.refusal = refusal;
    for (const resolve of this.#onResult.splice(0)) resolve();
  }

  firstResult(timeoutMs: number): Promise<void> {
    this.waits.push(timeoutMs);
    return new Promise((resolve) => this.#onResult.push(resolve));
  }

  noListError(reason = 'refused'): Error {
    return new Error(`no list from ${this.#name}: ${reason}`);
  }

  readAgain(): void {
    this.readAgains++;
  }

  async diagnose(): Promise<string> {
    return `as ${this.#name} says`;
  }
}

describe('ServiceView', () => {
  let clock: FakeClock;
  let events: DiscoveryEvent[];
  let first: FakeWatcher;
  let second: FakeWatcher;
  let seen: ServiceSnapshot[];

  beforeEach(() => {
    clock = new FakeClock();
    events = [];
    seen = [];
    first = new FakeWatcher('dc1');
    second = new FakeWatcher('dc2');
  });

  const sourceOf = (
    watcher: FakeWatcher,
    name: string,
    merge: ViewSource['merge'] = 'first',
  ): ViewSource => ({
    ...{ name, merge, watcher: watcher as unknown as ServiceWatcher },
  });
  const open = (query: ServiceQuery = {}, merge: ViewSource['merge'] = 'first'): ServiceView =>
    new ServiceView('inventory', query, [sourceOf(first, 'dc1', merge), sourceOf(second, 'dc2', merge)], {
      clock,
      emit: (event) => events.push(event),
      onThrown: () => undefined,
    });
  const portsOf = (view: ServiceView): number[] | undefined =>
    view.snapshot?.instances.map(({ port }) => port);

  it('passes on the snapshots of one list as they are', () => {
    const view = new ServiceView('inventory', {}, [sourceOf(first, 'dc1')], {
      ...{ clock, emit: () => undefined, onThrown: () => undefined },
    });
    first.lists([instance(1)]);
    expect(view.snapshot).toBe(first.snapshot);
    expect([view.chosen, clock.pending, view.isClosed]).toEqual([[0], 0, false]);
  });

  it('filters one list by what no registry evaluates', () => {
    const view = new ServiceView('inventory', { tags: ['a'] }, [sourceOf(first, 'dc1')], {
      ...{ clock, emit: () => undefined, onThrown: () => undefined },
    });
    view.snapshots$.subscribe((snapshot) => seen.push(snapshot));
    const gone = instance(3, { tags: ['a'] });
    const suspect = instance(1, { tags: ['a'] });
    first.lists([suspect, instance(2), gone], { unreachable: [gone], suspects: [suspect], ageMs: 77 });
    expect(portsOf(view)).toEqual([1, 3]);
    expect(view.snapshot).toMatchObject({
      service: 'inventory',
      source: 'live',
      receivedAt: 1_000,
      ageMs: 77,
    });
    expect(view.snapshot?.unreachable.map(({ port }) => port)).toEqual([3]);
    expect(view.snapshot?.suspects.map(({ port }) => port)).toEqual([1]);
    first.lists([suspect, gone], { unreachable: [gone], suspects: [suspect] });
    expect(seen).toHaveLength(1);
  });

  it('counts as used while it is observed, and since it was last touched', async () => {
    const view = open();
    await clock.advance(300);
    expect(view.idleMs).toBe(300);
    view.touch();
    await clock.advance(100);
    expect(view.idleMs).toBe(100);
    const subscription = view.snapshots$.subscribe();
    expect(view.idleMs).toBe(0);
    subscription.unsubscribe();
    expect(view.idleMs).toBe(100);
    view.close();
  });

  it('reads all of its lists again, and asks the first why there is nothing', async () => {
    const view = open();
    view.readAgain();
    expect([first.readAgains, second.readAgains]).toEqual([1, 1]);
    expect(await view.diagnose()).toBe('as dc1 says');
    view.close();
  });

  it('is over once it is closed', async () => {
    const view = open();
    let isComplete = false;
    view.snapshots$.subscribe({
      next: (snapshot) => seen.push(snapshot),
      complete: () => (isComplete = true),
    });
    second.lists([instance(2)]);
    view.close();
    first.lists([instance(1)]);
    await clock.advance(5_000);
    expect([seen, isComplete, view.isClosed, clock.pending]).toEqual([[], true, true, 0]);
    expect([first.snapshots$.observed, second.snapshots$.observed]).toEqual([false, false]);
  });

  describe('of several lists', () => {
    it('takes the next one a second after it was opened, where the first says nothing', async () => {
      const view = open();
      second.lists([instance(2)]);
      await clock.advance(999);
      expect(portsOf(view)).toBeUndefined();
      await clock.advance(1);
      expect(portsOf(view)).toEqual([2]);
      expect([view.chosen, clock.pending, events]).toEqual([[1], 0, []]);
    });

    it('takes the next one at once where the first has failed, but no empty one', () => {
      const view = open();
      first.fails();
      second.lists([]);
      expect(portsOf(view)).toBeUndefined();
      second.lists([instance(2)]);
      expect(portsOf(view)).toEqual([2]);
      view.close();
    });

    it('takes the first one, whatever the second says', () => {
      const view = open();
      first.lists([instance(1)]);
      second.lists([instance(2)]);
      expect([portsOf(view), view.chosen]).toEqual([[1], [0]]);
      view.close();
    });

    it('waits for the next one where the first is empty, and is empty when both are', () => {
      const view = open();
      first.lists([]);
      expect(portsOf(view)).toBeUndefined();
      second.lists([]);
      expect(portsOf(view)).toEqual([]);
      view.close();
    });

    it('moves to another one when the first has none, tells of it once, and of its return', () => {
      const view = open();
      first.lists([instance(1)]);
      second.lists([instance(2)]);
      first.lists([]);
      expect([portsOf(view), view.chosen]).toEqual([[2], [1]]);
      first.lists([instance(1)]);
      expect(portsOf(view)).toEqual([1]);
      expect(events).toEqual([
        {
          ...{ type: 'service.failover', service: 'inventory', from: 'dc1', to: 'dc2' },
          reason: 'dc1 has 0 usable instances, dc2 has 1',
        },
        {
          ...{ type: 'service.failover', service: 'inventory', from: 'dc2', to: 'dc1' },
          reason: 'dc2 has 1 usable instances, dc1 has 1',
        },
      ]);
      view.close();
    });

    it('tells of no failover when nothing is left in either', () => {
      const view = open();
      first.lists([instance(1)]);
      second.lists([]);
      first.lists([]);
      expect([events, portsOf(view)]).toEqual([[], []]);
      view.close();
    });

    it('counts no instance that is unreachable, critical, or no match, and a warning one where none passes', () => {
      const failover = { to: ['dc2'], minInstances: 2 };
      const usableAfter = (query: ServiceQuery, list: readonly ServiceInstance[]): number[] => {
        [first, second] = [new FakeWatcher('dc1'), new FakeWatcher('dc2')];
        const view = open({ ...query, failover });
        second.lists([instance(91), instance(92)].map((each) => ({ ...each, tags: ['a'] })));
        const [unreachable] = list;
        first.lists(list, { unreachable: unreachable && list.length > 3 ? [unreachable] : [] });
        view.close();
        return [...view.chosen];
      };
      const [warning, critical] = [{ status: 'warning' }, { status: 'critical' }] as const;
      expect(usableAfter({}, [instance(1), instance(2)])).toEqual([0]);
      expect(usableAfter({}, [instance(1), instance(2, critical)])).toEqual([1]);
      expect(usableAfter({}, [instance(1), instance(2, warning)])).toEqual([1]);
      expect(usableAfter({ includeWarning: true }, [instance(1), instance(2, warning)])).toEqual([0]);
      expect(usableAfter({}, [instance(1, warning), instance(2, warning)])).toEqual([0]);
      expect(usableAfter({ tags: ['a'] }, [instance(1), instance(2)])).toEqual([1]);
      // The first of four cannot be reached.
      expect(
        usableAfter(
          {},
          [1, 2, 3, 4].map((port) => instance(port, port > 2 ? critical : {})),
        ),
      ).toEqual([1]);
      expect(
        usableAfter(
          {},
          [1, 2, 3, 4].map((port) => instance(port, port > 3 ? critical : {})),
        ),
      ).toEqual([0]);
    });

    it('fails back when the first has been good for as long as the query says', async () => {
      const view = open({ failover: { to: ['dc2'], failbackAfter: '5s' } });
      first.lists([instance(1)]);
      second.lists([instance(2)]);
      first.lists([]);
      first.lists([instance(1)]);
      await clock.advance(4_999);
      expect(portsOf(view)).toEqual([2]);
      await clock.advance(1);
      expect([portsOf(view), clock.pending]).toEqual([[1], 0]);
      view.close();
    });

    it('is one list of all of them where they are merged; of the same id or address the first is kept', () => {
      const view = open({}, 'all');
      first.lists([instance(1), instance(2)], { ageMs: 5 });
      second.lists(
        [
          instance(3),
          instance(2, { address: '10.0.0.9' }),
          instance(1, { id: 'by another name' }),
          // The same id on another node of the same list.
          instance(3, { node: 'n2', address: '10.0.0.3' }),
        ],
        { ageMs: 900 },
      );
      expect(view.snapshot?.instances.map(({ id, address }) => `${id} ${address}`)).toEqual([
        'inventory-1 10.0.0.1',
        'inventory-2 10.0.0.1',
        'inventory-3 10.0.0.1',
        'inventory-3 10.0.0.3',
      ]);
      expect([view.chosen, view.snapshot?.ageMs, events]).toEqual([[0, 1], 900, []]);
      first.lists([]);
      expect([view.chosen, events]).toEqual([[0, 1], []]);
      view.close();
    });

    it('counts what the second list added when it merges a third', () => {
      const third = new FakeWatcher('dc3');
      const sources = [first, second, third].map((watcher, n) => sourceOf(watcher, `dc${n}`, 'all'));
      const view = new ServiceView('inventory', {}, sources, {
        ...{ clock, emit: () => undefined, onThrown: () => undefined },
      });
      first.lists([instance(1)]);
      second.lists([instance(2)]);
      third.lists([instance(2, { id: 'by another name' }), instance(3)]);
      expect(portsOf(view)).toEqual([1, 2, 3]);
      view.close();
    });
  });

  describe('when its first snapshot is awaited', () => {
    const outcomeOf = (promise: Promise<ServiceSnapshot>): { value: unknown } => {
      const outcome: { value: unknown } = { value: undefined };
      promise.then(
        ({ instances }) => (outcome.value = instances.map(({ port }) => port)),
        (error: unknown) => (outcome.value = (error as Error).message),
      );
      return outcome;
    };

    it('has it at once, or as soon as there is a list', async () => {
      const view = open();
      const outcome = outcomeOf(view.first(5_000));
      await settle();
      expect([first.waits, second.waits]).toEqual([[1_000], [1_000]]);
      first.lists([instance(1)]);
      await settle();
      expect(outcome.value).toEqual([1]);
      expect((await view.first(0)).instances).toHaveLength(1);
      view.close();
    });

    it('waits for the first of several no longer than for a second, and for one list as long as it may', async () => {
      const only = new ServiceView('inventory', {}, [sourceOf(first, 'dc1')], {
        ...{ clock, emit: () => undefined, onThrown: () => undefined },
      });
      outcomeOf(only.first(5_000));
      await settle();
      expect(first.waits).toEqual([5_000]);
      const view = open();
      await clock.advance(400);
      outcomeOf(view.first(5_000));
      outcomeOf(view.first(200));
      await settle();
      expect(second.waits).toEqual([600, 200]);
      await clock.advance(600);
      outcomeOf(view.first(5_000));
      await settle();
      expect(second.waits).toEqual([600, 200, 5_000]);
      view.close();
      only.close();
    });

    it('says which list is missing, and for how long it waited', async () => {
      const view = open();
      first.fails();
      expect(outcomeOf(view.first(0))).toEqual({ value: undefined });
      const pending = outcomeOf(view.first(0));
      await settle();
      expect(pending.value).toBe('no list from dc1: refused');
      const silent = new ServiceView('inventory', {}, [sourceOf(second, 'dc2')], {
        ...{ clock, emit: () => undefined, onThrown: () => undefined },
      });
      const late = outcomeOf(silent.first(0));
      await settle();
      expect(late.value).toBe('no list from dc2: no response in 0 ms');
      view.close();
      silent.close();
    });

    it('fails with the words of a list that refuses the query, unless a list has instances', async () => {
      const refusal = new DiscoveryError('RK_INVALID_ARGUMENT', 'no such filter', {});
      const view = open();
      first.fails(refusal);
      second.lists([]);
      await expect(view.first(0)).rejects.toBe(refusal);
      second.lists([instance(2)]);
      expect((await view.first(0)).instances).toHaveLength(1);
      view.close();
    });

    it('does not fail because a less preferred list refuses what the first has answered', async () => {
      const view = open();
      second.fails(new DiscoveryError('RK_INVALID_ARGUMENT', 'no such filter', {}));
      first.lists([]);
      expect((await view.first(0)).instances).toEqual([]);
      view.close();
    });
  });
});
