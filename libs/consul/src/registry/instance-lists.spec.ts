import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, HeldRequests, settle } from '@rookery/test-support';
import { delay, type InstanceList, type SourceQuery } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../client/consul-client.js';
import type { ConsulResponse } from '../client/consul-response.js';
import { AgentSwitchedError } from '../client/agent-switched-error.js';
import { ConsulError } from '../client/consul-error.js';
import { InstanceLists } from './instance-lists.js';

const noLeader = new ConsulError('RK_REGISTRY_NO_LEADER', 'No cluster leader');

describe('InstanceLists', () => {
  let clock: FakeClock;
  let random: number;
  let requests: HeldRequests<[ports: readonly number[], response?: Partial<ConsulResponse<Buffer>>]>;
  let client: { disconnects: number; watchLimit: number; tokenVersion: number };
  let permitted: boolean[];
  let stopping: AbortController;

  beforeEach(() => {
    clock = new FakeClock();
    random = 0;
    requests = new HeldRequests(clock, (ports, response = {}) => ({
      ...{ body: listOf(ports), index: '7', ...response },
    }));
    permitted = [];
    stopping = new AbortController();
    client = { disconnects: 0, watchLimit: 2, tokenVersion: 0 };
  });

  function create(): InstanceLists {
    const fake = Object.assign(client, {
      waitWithin: (ms: number) => ms,
      health: {
        serviceBytes: requests.ask,
      },
      acl: {
        allows: async () => {
          permitted.push(true);
          return [true, true];
        },
      },
    });
    return new InstanceLists(fake as unknown as ConsulClient, { clock, random: () => random });
  }

  interface Watch {
    readonly lists: InstanceList[];
    failure: unknown;
  }

  function watch(lists: InstanceLists, service = 'web', query: SourceQuery = {}): Watch {
    const watched: Watch = { lists: [], failure: undefined };
    void (async () => {
      try {
        for await (const list of lists.watch(service, query, stopping.signal)) watched.lists.push(list);
      } catch (error) {
        watched.failure = error;
      }
    })();
    return watched;
  }

  const portsOf = (list: InstanceList | undefined): number[] | undefined =>
    list?.instances.map(({ port }) => port);

  it('reads the list, and then waits for its next index', async () => {
    const { lists } = watch(create());
    expect(requests.last.options).toEqual({});
    await requests.last.answer([1, 2]);
    expect(lists).toMatchObject([{ source: 'live', mode: 'watched', index: '7' }]);
    expect(requests.last.options).toEqual({ index: '7', wait: 60_000 });
    await clock.advance(5_000);
    await requests.last.answer([3], { index: '9' });
    expect(lists.map(portsOf)).toEqual([[1, 2], [3]]);
    expect(requests.last.options.index).toBe('9');
  });

  it('asks for what its query says', async () => {
    watch(create(), 'web', { filter: 'f', datacenter: 'dc2', near: 'n' });
    expect(requests.last.options).toEqual({ filter: 'f', datacenter: 'dc2', near: 'n' });
    await requests.last.answer([1]);
    expect(requests.last.options).toMatchObject({ filter: 'f', datacenter: 'dc2', near: 'n', index: '7' });
  });

  it('begins anew, without an index, after a disconnect and when a query returns early with the same index', async () => {
    watch(create());
    await requests.last.answer([1]);
    await clock.advance(10);
    await requests.last.answer([1]);
    expect(requests.last.options).toEqual({});
    await requests.last.answer([1]);
    client.disconnects++;
    await clock.advance(60_000);
    await requests.last.answer([1]);
    expect(requests.last.options).toEqual({});
    await requests.last.answer([1]);
    await clock.advance(60_000);
    await requests.last.answer([1]);
    expect(requests.last.options.index).toBe('7');
  });

  it.each([
    ['stale', { knownLeader: false }],
    ['live', { knownLeader: true }],
    ['cached', { cache: { hit: true, ageSeconds: 0 } }],
    ['stale', { cache: { hit: true, ageSeconds: 1 } }],
  ] as const)('is %s with %j', async (source, response) => {
    const { lists } = watch(create());
    await requests.last.answer([1], response);
    expect(lists[0]?.source).toBe(source);
  });

  it('reads a list that any server has, while the leader does not answer for a second', async () => {
    const { lists } = watch(create());
    await clock.advance(999);
    expect(requests.all).toHaveLength(1);
    await clock.advance(1);
    expect(requests.last.options).toEqual({ consistency: 'stale', timeout: 3_000 });
    await requests.last.answer([1], { knownLeader: true, index: '3' });
    expect(lists.map(({ source }) => source)).toEqual(['stale']);
    await requests.all[0]?.answer([2]);
    expect(lists.map(portsOf)).toEqual([[1], [2]]);
  });

  it.each(['RK_REGISTRY_NO_LEADER', 'RK_REGISTRY_ERROR', 'RK_REGISTRY_TIMEOUT'] as const)(
    'reads it at once after %s, and fails as the leader did',
    async (code) => {
      const watched = watch(create());
      const error = new ConsulError(code, 'it failed');
      await requests.last.fail(error);
      expect(requests.last.options.consistency).toBe('stale');
      await requests.last.answer([1]);
      expect(watched.lists.map(({ source }) => source)).toEqual(['stale']);
      expect(watched.failure).toBe(error);
    },
  );

  it('fails as the leader did where no server answers, and at once after any other error', async () => {
    const watched = watch(create());
    await requests.last.fail(noLeader);
    await requests.last.fail(new ConsulError('RK_REGISTRY_TIMEOUT', 'no response'));
    expect(watched).toMatchObject({ lists: [], failure: noLeader });
    const denied = new ConsulError('RK_ACL_DENIED', 'no');
    const refused = watch(create());
    await requests.last.fail(denied);
    expect(refused.failure).toBe(denied);
    expect(requests.all).toHaveLength(3);
  });

  it('waits for up to four seconds after a leader was elected, since all watches are answered together', async () => {
    random = 0.5;
    const { lists } = watch(create());
    await clock.advance(1_000);
    await requests.last.answer([1]);
    await clock.advance(2_000);
    await requests.all[0]?.answer([2], { index: '20' });
    expect(lists).toHaveLength(2);
    await clock.advance(1_999);
    expect(requests.all).toHaveLength(2);
    await clock.advance(1);
    expect(requests.last.options).toEqual({ index: '20', wait: 60_000 });
  });

  it('waits also after a read that was held for less than a second, as long in proportion', async () => {
    random = 0.5;
    watch(create());
    await clock.advance(200);
    await requests.last.answer([1], { index: '20' });
    await clock.advance(999);
    expect(requests.all).toHaveLength(1);
    await clock.advance(1);
    expect(requests.last.options).toEqual({ index: '20', wait: 60_000 });
  });

  it('asks no more than every five seconds for a service that has never had an instance', async () => {
    watch(create());
    await requests.last.answer([]);
    expect(permitted).toEqual([true]);
    const before = requests.all.length;
    await requests.last.answer([], { index: '8' });
    await clock.advance(4_999);
    expect(requests.all).toHaveLength(before);
    await clock.advance(1);
    expect(requests.all).toHaveLength(before + 1);
    // The token is the same.
    expect(permitted).toEqual([true]);
  });

  it('asks often after the last instance has left, and less often as time passes', async () => {
    watch(create());
    await requests.last.answer([1]);
    const pauseAfter = async (index: string): Promise<number> => {
      const count = requests.all.length;
      await requests.last.answer([], { index });
      const from = clock.now();
      while (requests.all.length === count) await clock.advance(10);
      return requests.last.at - from;
    };
    expect(await pauseAfter('8')).toBe(250);
    await clock.advance(30_000 - 250);
    expect(await pauseAfter('9')).toBe(2_000);
    await clock.advance(30_000);
    expect(await pauseAfter('10')).toBeGreaterThan(4_000);
    await clock.advance(20_000);
    expect(await pauseAfter('11')).toBe(5_000);
  });

  it('polls the lists that have no connection of their own, from the cache of the agent', async () => {
    const lists = create();
    for (const service of ['one', 'two']) {
      watch(lists, service);
      await requests.last.answer([1]);
    }
    const third = watch(lists, 'three');
    expect(lists.connections).toEqual({ watches: 2, limit: 2, polled: 1 });
    await requests.last.answer([1]);
    await clock.advance(1_799);
    expect(requests.all).toHaveLength(5);
    await clock.advance(1);
    expect(requests.last).toMatchObject({ name: 'three', options: { consistency: 'cached', polled: true } });
    await requests.last.answer([2], { cache: { hit: true, ageSeconds: 0 } });
    expect(third.lists.map(({ mode }) => mode)).toEqual(['polled', 'polled']);
    await clock.advance(1_800);
    await requests.last.answer([2], { cache: { hit: true, ageSeconds: 10 } });
    // That list is old, and still the last one.
    expect(third.lists).toHaveLength(3);
    expect(third.failure).toMatchObject({ code: 'RK_REGISTRY_NO_LEADER' });
    expect(lists.connections.polled).toBe(0);
  });

  it('goes on at the next agent when the one in use is left, after up to a second, and once', async () => {
    random = 0.5;
    const watched = watch(create());
    await requests.last.answer([1]);
    await requests.last.fail(new AgentSwitchedError('http://127.0.0.1:8501'));
    await clock.advance(499);
    expect(requests.all).toHaveLength(2);
    await clock.advance(1);
    expect(requests.last.options).toEqual({});
    await requests.last.fail(new AgentSwitchedError('http://127.0.0.1:8501'));
    expect(watched.failure).toBeInstanceOf(AgentSwitchedError);
  });

  describe('of a prepared query', () => {
    const node = (port: number): object => ({
      ...{ Node: { ID: 'n', Node: 'node', Address: '127.0.0.1', Datacenter: 'dc1' }, Checks: [] },
      Service: { ID: `web-${port}`, Service: 'web', Address: '', Port: port, Tags: [], Meta: {} },
    });
    let executed: unknown[];
    let result: unknown;
    let allowed: boolean[];
    const openQueries = (): InstanceLists => {
      executed = [];
      const query = {
        execute: async (name: string, { signal: _, ...options }: { signal?: AbortSignal }) => {
          executed.push([name, options]);
          return { body: result };
        },
      };
      const acl = { allows: async () => allowed };
      const fake = { ...client, query, acl } as unknown as ConsulClient;
      return new InstanceLists(fake, { clock, random: () => random });
    };
    const ask = { preparedQuery: true } as unknown as SourceQuery;

    it('are polled at intervals', async () => {
      result = { Service: 'web', Nodes: [node(1), 'something else'] };
      const lists: InstanceList[] = [];
      const polling = openQueries().poll(
        'near web',
        { ...ask, near: '_agent', datacenter: 'dc2' },
        stopping.signal,
      );
      void (async () => {
        for await (const list of polling) lists.push(list);
      })().catch(() => undefined);
      await settle();
      expect(executed).toEqual([['near web', { near: '_agent', datacenter: 'dc2' }]]);
      expect(lists).toEqual([
        { instances: [expect.objectContaining({ id: 'web-1', port: 1 })], source: 'live', mode: 'polled' },
      ]);
      const intervalMs = clock.next ?? 0;
      random = 1;
      await clock.advance(intervalMs);
      expect(lists).toHaveLength(2);
      expect((clock.next ?? 0) / intervalMs).toBeCloseTo(1.1 / 0.9, 3);
      stopping.abort(new Error('over'));
      await settle();
      expect(clock.pending).toBe(0);
    });

    it('have no filter, and are read consistently as they are', async () => {
      result = { Service: 'web', Nodes: [node(1)] };
      const lists = openQueries();
      expect(await lists.readConsistent('web', ask, stopping.signal)).toHaveLength(1);
      expect(executed).toEqual([['web', {}]]);
      await expect(
        lists.readConsistent('web', { ...ask, filter: 'x' }, stopping.signal),
      ).rejects.toMatchObject({
        code: 'RK_INVALID_ARGUMENT',
        hint: expect.stringContaining('filter in the prepared query itself'),
      });
    });

    it('are empty where the answer has no nodes, and denied where the token may not read them', async () => {
      const lists = openQueries();
      for (const other of [null, {}, { Nodes: 'none' }, { Nodes: [] }]) {
        result = other;
        expect(await lists.readConsistent('web', ask, stopping.signal)).toEqual([]);
      }
      result = { Service: 'web', Nodes: [] };
      allowed = [true, true];
      expect(await lists.readConsistent('web', ask, stopping.signal)).toEqual([]);
      allowed = [false, true];
      await expect(lists.readConsistent('web', ask, stopping.signal)).rejects.toMatchObject({
        code: 'RK_ACL_DENIED',
      });
    });
  });

  it('reads a list from the leader for certain, and whether the token may read one that is empty', async () => {
    const reading = create().readConsistent('web', { datacenter: 'dc2' }, stopping.signal);
    await settle();
    expect(requests.last).toMatchObject({
      name: 'web',
      options: { consistency: 'consistent', datacenter: 'dc2' },
    });
    await requests.last.answer([1]);
    expect((await reading).map(({ port }) => port)).toEqual([1]);
    expect(permitted).toEqual([]);
    const empty = create().readConsistent('web', {}, stopping.signal);
    await settle();
    await requests.last.answer([]);
    expect(await empty).toEqual([]);
    expect(permitted).toEqual([true]);
  });

  it('ends with its signal, and leaves no timer and no slot', async () => {
    const lists = create();
    const watched = watch(lists);
    await requests.last.answer([1]);
    stopping.abort(new Error('over'));
    await settle();
    expect(watched.failure).toMatchObject({ message: 'over' });
    expect(lists.connections.watches).toBe(0);
    await expect(delay(clock, 1, stopping.signal)).rejects.toThrow('over');
    expect(clock.pending).toBe(0);
  });
});

function listOf(ports: readonly number[]): Buffer {
  const entries = ports.map((port) => ({
    Node: { ID: 'n', Node: 'node', Address: '127.0.0.1', Datacenter: 'dc1' },
    Service: { ID: `web-${port}`, Service: 'web', Address: '', Port: port, Tags: [], Meta: {} },
    Checks: [],
  }));
  return Buffer.from(JSON.stringify(entries));
}
