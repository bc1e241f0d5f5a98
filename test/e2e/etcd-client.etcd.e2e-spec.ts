import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { CompactedError, EtcdClient, type EtcdError, type EtcdWatchBatch } from '@rookery/etcd';
import { EtcdServer, eventually, freePorts, thrownBy } from '@rookery/test-support';

describe('EtcdClient', () => {
  let server: EtcdServer;
  const cleanUps: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterAll(() => server.stop());
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const connect = (options: Parameters<typeof EtcdClient.create>[0] = {}): EtcdClient => {
    const client = EtcdClient.create({ endpoints: server.url, ...options }, {});
    cleanUps.push(() => client.close());
    return client;
  };
  /** Collects what a watch yields, and its error. */
  const follow = (client: EtcdClient, prefix: string, from: bigint) => {
    const ending = new AbortController();
    cleanUps.push(() => ending.abort());
    const seen: EtcdWatchBatch[] = [];
    const result: { error?: unknown } = {};
    const watch = async (): Promise<void> => {
      for await (const batch of client.watch({ prefix }, from, ending.signal)) seen.push(batch);
    };
    watch().catch((error: unknown) => (result.error = error));
    return { seen, result, end: () => ending.abort(new Error('enough')) };
  };

  it('puts, gets, lists and deletes keys; a prefix that ends with a slash has no foreign keys', async () => {
    const { kv } = connect();
    const first = await kv.put('app/1', 'one');
    await kv.put('app/2', Buffer.from([0, 255]));
    await kv.put('app2/1', 'foreign');
    expect(await kv.get('app/1')).toMatchObject({
      key: 'app/1',
      createRevision: first,
      version: 1n,
      lease: 0n,
    });
    expect(await kv.get('app/3')).toBeUndefined();
    const { values, revision } = await kv.range({ prefix: 'app/' });
    expect(values.map(({ key, value }) => [key, [...value]])).toEqual([
      ['app/1', [...Buffer.from('one')]],
      ['app/2', [0, 255]],
    ]);
    expect(revision).toBe(first + 2n);
    expect((await kv.range({ prefix: 'app/' }, { keysOnly: true, limit: 1 })).values).toMatchObject([
      { key: 'app/1', value: Buffer.alloc(0) },
    ]);
    expect(await kv.delete({ prefix: 'app/' })).toBe(2);
    expect((await kv.range({ prefix: 'app/' }, { revision })).values).toHaveLength(2);
    expect((await kv.range({ prefix: '' })).values.map(({ key }) => key)).toContain('app2/1');
  });

  it('does a transaction as a whole, by its conditions', async () => {
    const { kv } = connect();
    const create = { key: 'txn/a', target: 'createRevision', to: 0n } as const;
    const put = { put: 'txn/a', value: 'mine' };
    const get = { get: 'txn/a' };
    expect(await kv.transaction({ if: [create], then: [put], else: [get] })).toMatchObject({
      succeeded: true,
    });
    const again = await kv.transaction({ if: [create], then: [put], else: [get] });
    expect(again.succeeded).toBe(false);
    expect(again.results.map((result) => result.map(({ value }) => value.toString()))).toEqual([['mine']]);
    const { succeeded } = await kv.transaction({
      if: [
        { key: 'txn/a', target: 'value', to: 'mine' },
        { key: 'txn/a', target: 'version', is: '<', to: 2n },
      ],
      then: [{ delete: 'txn/a' }],
    });
    expect(succeeded).toBe(true);
    expect(await kv.get('txn/a')).toBeUndefined();
  });

  it('grants, renews and revokes leases; an unknown one is told from an error', async () => {
    const { kv, lease } = connect();
    const { id, ttl } = await lease.grant(30);
    expect(ttl).toBe(30);
    await kv.put('leased/a', 'x', { lease: id });
    expect(await lease.keepAlive(id)).toBe(30);
    expect(await lease.timeToLive(id)).toMatchObject({ id, grantedTtl: 30, keys: ['leased/a'] });
    await lease.revoke(id);
    expect(await kv.get('leased/a')).toBeUndefined();
    expect(await lease.keepAlive(id)).toBeUndefined();
    expect(await lease.timeToLive(id)).toBeUndefined();
    expect(await thrownBy(() => lease.revoke(id))).toMatchObject({ code: 'RK_NOT_FOUND' });
    expect(await thrownBy(() => kv.put('leased/a', 'x', { lease: id }))).toMatchObject({
      code: 'RK_NOT_FOUND',
    });
  });

  it('has all watches on one stream, from a revision on, each with its own changes', async () => {
    const client = connect();
    const revision = await client.kv.put('w/a/1', 'before');
    const watches = Array.from({ length: 50 }, (_, n) => follow(client, `w/${n}/`, revision + 1n));
    const all = follow(client, 'w/', revision);
    for (let n = 0; n < 50; n++) await client.kv.put(`w/${n}/k`, String(n));
    await client.kv.delete('w/7/k');
    // Changes before a watch is there come together.
    const eventsOf = ({ seen }: { seen: EtcdWatchBatch[] }) => seen.flatMap(({ events }) => events);
    await eventually(() => eventsOf(all).length === 52);
    await eventually(() => watches.every((watch) => eventsOf(watch).length >= 1));
    expect(watches.map((watch) => eventsOf(watch).map(({ type, key }) => `${type} ${key}`))).toEqual(
      watches.map((_, n) => [`put w/${n}/k`, ...(n === 7 ? ['delete w/7/k'] : [])]),
    );
    expect(eventsOf(all)[0]).toMatchObject({ type: 'put', key: 'w/a/1', value: Buffer.from('before') });
    for (const watch of watches) watch.end();
    await eventually(() => watches.every(({ result }) => result.error !== undefined));
    expect(watches[0]?.result.error).toMatchObject({ message: 'enough' });
    await client.kv.put('w/9/k', 'later');
    await eventually(() => eventsOf(all).length === 53);
    expect(watches.every((watch, n) => n === 7 || eventsOf(watch).length === 1)).toBe(true);
  });

  it('keeps watches that have nothing to tell, and tells them the next change once', async () => {
    const client = connect();
    const revision = await client.kv.put('idle/1', 'before');
    const busy = follow(client, 'idle/', revision + 1n);
    const other = follow(client, 'elsewhere/', revision + 1n);
    // Two looks at a stream that is silent, each with the time for its answer.
    await sleep(9_000);
    expect([busy.result, other.result]).toEqual([{}, {}]);
    await client.kv.put('idle/1', 'after');
    await eventually(() => busy.seen.length > 0);
    expect(busy.seen.flatMap(({ events }) => events)).toMatchObject([
      { type: 'put', key: 'idle/1', value: Buffer.from('after') },
    ]);
    expect(other.seen).toEqual([]);
  }, 30_000);

  it('gives a consumer that was busy all that came meanwhile at once, so that it does not fall behind', async () => {
    const client = connect();
    const stopping = new AbortController();
    const sizes: number[] = [];
    const from = await client.kv.put('busy/0', '');
    const watching = (async () => {
      for await (const { events } of client.watch({ prefix: 'busy/' }, from + 1n, stopping.signal)) {
        sizes.push(events.length);
        if (sizes.length === 1) await eventually(async () => (await client.kv.get('busy/60')) !== undefined);
      }
    })();
    for (let n = 1; n <= 60; n++) await client.kv.put(`busy/${n}`, '');
    await eventually(() => sizes.reduce((sum, size) => sum + size, 0) === 60);
    expect(sizes.length).toBeLessThan(6);
    stopping.abort(new Error('seen'));
    await expect(watching).rejects.toThrow('seen');
  });

  it('tells a revision that was compacted', async () => {
    const client = connect();
    const old = await client.kv.put('compacted/a', '1');
    const now = await client.kv.put('compacted/a', '2');
    await client.kv.compact(now);
    const { result } = follow(client, 'compacted/', old);
    await eventually(() => result.error !== undefined);
    expect(result.error).toBeInstanceOf(CompactedError);
    expect(result.error).toMatchObject({ compactRevision: now });
  });

  it('says what is wrong with an endpoint', async () => {
    const [port] = await freePorts(1);
    const { kv } = connect({ endpoints: `127.0.0.1:${port}` });
    const refused = (await thrownBy(() => kv.get('a'))) as EtcdError;
    expect(refused).toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE', notSent: true });
    expect(refused.message).toMatch(
      /KV\/Range at 127\.0\.0\.1:\d+ → UNAVAILABLE: .*ECONNREFUSED.*See endpoints/,
    );
    expect(() => EtcdClient.create({ endpoints: 'ftp://secret:word@host' }, {})).toThrow(
      /endpoints.*must be a member's/,
    );
    expect(() => EtcdClient.create({ endpoints: 'ftp://secret:word@host' }, {})).not.toThrow(/word/);
  });

  describe('with several members', () => {
    it('asks the next one when a member is stopped, and its watches end within five seconds', async () => {
      const [one, two] = [await EtcdServer.start(), await EtcdServer.start()];
      cleanUps.push(() => Promise.all([one.stop(), two.stop()]));
      const client = connect({ endpoints: [one.url, two.url], timeout: '1s' });
      const switches: string[] = [];
      client.onSwitch(({ from, to }) => switches.push(`${from} ${to}`));
      await client.kv.get('a');
      const { result } = follow(client, 'x/', 0n);
      await sleep(200);
      one.pause();
      two.pause();
      const begun = performance.now();
      await eventually(() => result.error !== undefined, { within: 20_000 });
      expect(performance.now() - begun).toBeLessThan(20_000);
      expect(result.error).toMatchObject({ code: 'RK_REGISTRY_TIMEOUT' });
      expect(switches.length).toBeGreaterThan(0);
      one.resume();
      two.resume();
      expect(await eventually(async () => (await client.kv.get('a')) === undefined)).toBe(true);
    });
  });
});
