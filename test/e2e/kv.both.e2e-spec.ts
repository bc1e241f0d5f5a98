import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  bytesCodec,
  ConsulClient,
  ConsulKv,
  ConsulModule,
  jsonCodec,
  KvTransactionError,
  type KvOperation,
} from '@rookery/consul';
import { eventually, startTestConsul, thrownBy, type TestConsul } from '@rookery/test-support';
import { z } from 'zod';
import { FaultProxy } from '../faults/fault-proxy.js';
import { rootModule, startApp, type TestApp } from './test-app.js';

interface Limits {
  rate: number;
}

describe('ConsulKv', () => {
  let consul: TestConsul;
  let proxy: FaultProxy;
  let app: TestApp;
  let kv: ConsulKv;

  beforeAll(async () => {
    consul = await startTestConsul();
    proxy = await FaultProxy.start(consul.url);
    app = await startApp(rootModule([ConsulModule.forRoot({ agent: { url: proxy.url } })]));
    kv = app.app.get(ConsulKv);
  });
  beforeEach(async () => {
    proxy.fault = () => undefined;
    await kv.deleteTree('t/');
  });
  afterAll(async () => {
    await app.app.close();
    await proxy.stop();
    await consul.stop();
  });

  it('writes, reads, lists and deletes texts, bytes and JSON', async () => {
    await kv.put('t/text', 'ä');
    await kv.put('t/bytes', new Uint8Array([0, 255]), { codec: bytesCodec });
    await kv.put<Limits>('t/json', { rate: 5 }, { codec: jsonCodec<Limits>(), flags: 7 });
    await kv.put('t/empty', '');
    expect((await kv.get('t/text'))?.value).toBe('ä');
    expect([...((await kv.get('t/bytes', { codec: bytesCodec }))?.value ?? [])]).toEqual([0, 255]);
    expect(await kv.get('t/json', { codec: jsonCodec<Limits>() })).toMatchObject({
      value: { rate: 5 },
      flags: 7,
    });
    expect((await kv.get('t/empty'))?.value).toBe('');
    expect(await kv.get('t/none')).toBeUndefined();
    expect((await kv.list('t/')).map(({ key }) => key)).toEqual(['t/bytes', 't/empty', 't/json', 't/text']);
    expect(await kv.keys('t/')).toHaveLength(4);
    expect(await kv.delete('t/text')).toBe(true);
    expect(await kv.delete('t/none')).toBe(true);
    const { modifyIndex = 0 } = (await kv.get('t/empty')) ?? {};
    expect(await kv.delete('t/empty', { modifyIndex: modifyIndex - 1 })).toBe(false);
    expect(await kv.delete('t/empty', { modifyIndex })).toBe(true);
  });

  it('compares and sets, and repeats an update until no other writer is faster', async () => {
    expect(await kv.compareAndSet('t/n', '1', 0)).toBe(true);
    expect(await kv.compareAndSet('t/n', '2', 0)).toBe(false);
    const { modifyIndex = 0 } = (await kv.get('t/n')) ?? {};
    expect(await kv.compareAndSet('t/n', '2', modifyIndex)).toBe(true);
    const add = (): Promise<unknown> =>
      kv.update<number>('t/n', (n = 0) => n + 1, { codec: jsonCodec<number>() });
    await Promise.all([add(), add(), add(), add()]);
    expect((await kv.get('t/n'))?.value).toBe('6');
    const unchanged = (): string | undefined => undefined;
    expect(await kv.update('t/n', unchanged)).toBe('6');
    await expect(
      kv.update('t/n', async (n) => {
        await kv.put('t/n', randomUUID());
        return `${n}x`;
      }),
    ).rejects.toMatchObject({ code: 'RK_TRANSACTION_CONFLICT' });
  });

  it('commits a transaction, or names the operations that failed, and changes nothing', async () => {
    await kv.put('t/a', '1');
    const { modifyIndex = 0 } = (await kv.get('t/a')) ?? {};
    const values = await kv.transaction([
      { type: 'compareAndSet', key: 't/a', value: '2', modifyIndex },
      { type: 'set', key: 't/b', value: 'b' },
      { type: 'get', key: 't/b' },
      { type: 'checkNotExists', key: 't/c' },
    ]);
    expect(values.at(-1)).toMatchObject({ key: 't/b', value: 'b' });
    const operations: KvOperation[] = [
      { type: 'set', key: 't/d', value: 'never' },
      { type: 'compareAndSet', key: 't/a', value: '3', modifyIndex },
      { type: 'get', key: 't/none' },
      { type: 'checkNotExists', key: 't/a' },
      { type: 'checkSession', key: 't/a', session: randomUUID() },
    ];
    const error = (await thrownBy(kv.transaction(operations))) as KvTransactionError;
    expect(error).toBeInstanceOf(KvTransactionError);
    expect(error.code).toBe('RK_TRANSACTION_CONFLICT');
    expect(error.failures).toMatchObject([
      { index: 1, type: 'compareAndSet', key: 't/a', kind: 'conflict' },
      { index: 2, type: 'get', key: 't/none', kind: 'missing' },
      { index: 3, type: 'checkNotExists', key: 't/a', kind: 'conflict' },
      { index: 4, type: 'checkSession', key: 't/a', kind: 'session' },
    ]);
    expect(inspect(error, { depth: 9 }) + JSON.stringify(error)).not.toContain('never');
    expect(error.message).toMatch(/operation 1, compareAndSet of t\/a: .*stale/);
    expect(await kv.get('t/d')).toBeUndefined();
  });

  it.each<[string, (kv: ConsulKv) => Promise<unknown>, RegExp]>([
    ['a key with two slashes', (store) => store.put('t//a', 'x'), /"t\/\/a" has two slashes in a row/],
    ['a key with ".."', (store) => store.put('t/../a', 'x'), /has a segment "\." or "\.\."/],
    ['a key with a control character', (store) => store.get('t/\n'), /has a control character/],
    ['an empty key', (store) => store.get(''), /key: it is empty/],
    ['the deletion of everything', (store) => store.deleteTree(''), /key: it is empty/],
    [
      'a value of 600 kB',
      (store) => store.put('t/big', 'x'.repeat(600_000)),
      /value of t\/big: 600000 bytes. Consul takes at most 524288/,
    ],
    [
      'a value that is no text',
      (store) => store.put('t/a', { a: 1 } as never),
      /of type object. Without a codec a value is a text/,
    ],
    [
      'a value that JSON has not',
      (store) => store.put('t/a', undefined, { codec: jsonCodec() }),
      /undefined has no form in JSON/,
    ],
    [
      '65 operations',
      (store) => store.transaction(Array(65).fill({ type: 'get', key: 't/a' })),
      /operations: 65. A transaction of Consul has at most 64/,
    ],
    [
      'a transaction of a megabyte',
      (store) => store.transaction(Array(3).fill({ type: 'set', key: 't/a', value: 'x'.repeat(300_000) })),
      /transaction of \d+ bytes/,
    ],
    [
      'a key in a transaction',
      (store) => store.transaction([{ type: 'set', key: 't//a', value: 'x' }]),
      /two slashes/,
    ],
    [
      'what is no value in a transaction',
      (store) => store.transaction([{ type: 'set', key: 't/a', value: undefined as never }]),
      /operation 0: value of t\/a: it is no text/,
    ],
    [
      'an empty tree in a transaction',
      (store) => store.transaction([{ type: 'deleteTree', prefix: '' }]),
      /key: it is empty/,
    ],
  ])('refuses %s before it is sent', async (_, work, message) => {
    proxy.requests.length = 0;
    const error = (await thrownBy(work(kv))) as Error & { code: string };
    expect(error.message).toMatch(message);
    expect(error.code).toBe('RK_INVALID_ARGUMENT');
    expect(proxy.requests).toEqual([]);
  });

  it('says what a codec refuses, without the value', async () => {
    await kv.put('t/json', '{"password": hunter2');
    const { message } = await thrownBy(kv.get('t/json', { codec: jsonCodec() }));
    expect(message).toMatch(/value of t\/json: it is not JSON/);
    expect(message).not.toContain('hunter2');
    await kv.put('t/json', '{"rate": "hunter2"}');
    const codec = jsonCodec<Limits>(z.object({ rate: z.number() }));
    await expect(kv.get('t/json', { codec })).rejects.toThrow(/not as its schema declares: rate/);
    await kv.put('t/json', '{"rate": 5}');
    expect((await kv.get('t/json', { codec }))?.value).toEqual({ rate: 5 });
    expect(() => jsonCodec({} as never)).toThrow(/no Standard Schema/);
  });

  it('watches a key from before it exists to after it is deleted, each value once, and over an outage', async () => {
    const seen: (string | undefined)[] = [];
    const other: unknown[] = [];
    const subscription = kv.watch('t/k').subscribe((entry) => {
      seen.push(entry?.value);
      throw new Error('a subscriber');
    });
    const second = kv.watch('t/k').subscribe((entry) => other.push(entry?.value));
    await eventually(() => seen.length === 1);
    const until = async (expected: (string | undefined)[]): Promise<void> => {
      await eventually(() => seen.length === expected.length);
      expect(seen).toEqual(expected);
    };
    await kv.put('t/k2', 'a neighbour');
    await kv.put('t/k', '1');
    await until([undefined, '1']);
    await kv.put('t/k', '1');
    await kv.put('t/k', '2');
    await until([undefined, '1', '2']);
    await kv.delete('t/k');
    await until([undefined, '1', '2', undefined]);
    await kv.put('t/k', '3');
    await until([undefined, '1', '2', undefined, '3']);
    proxy.fault = () => ({ status: 500 });
    proxy.resetAll();
    await consul.request('PUT', '/v1/kv/t/k', '4');
    await eventually(() => app.logger.matching(/cannot watch t\/k, retrying/).length === 1);
    proxy.fault = () => undefined;
    await eventually(() => seen.length === 6, { within: 60_000 });
    expect(other).toEqual(seen);
    expect(proxy.underWay('/v1/kv/t/k')).toBeLessThanOrEqual(1);
    subscription.unsubscribe();
    second.unsubscribe();
  });

  it('asks for nothing while a missing key stays missing', async () => {
    const subscription = kv.watch('t/none').subscribe();
    await eventually(() => proxy.underWay('/v1/kv/t/none') === 1);
    proxy.requests.length = 0;
    for (let n = 0; n < 20; n++) await consul.request('PUT', `/v1/kv/other/${n}`, 'x');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(proxy.requests.length).toBeLessThanOrEqual(20);
    subscription.unsubscribe();
  });

  it('asks at a limited rate for a missing key whose neighbours change all the time', async () => {
    const subscription = kv.watch('t/busy').subscribe();
    await eventually(() => proxy.underWay('/v1/kv/t/busy') === 1);
    proxy.requests.length = 0;
    const until = performance.now() + 2_000;
    for (let n = 0; performance.now() < until; n++) await consul.request('PUT', '/v1/kv/t/busy2', n);
    const reads = proxy.requests.filter(({ what }) => what.includes('/v1/kv/t/busy?')).length;
    expect(reads).toBeLessThanOrEqual(25);
    subscription.unsubscribe();
  });

  it('tells a key from a tree, whatever their names', async () => {
    await kv.put('t/x*', 'star');
    const seen: unknown[] = [];
    const tree = kv.watchTree('t/x').subscribe((entries) => seen.push(entries.length));
    const key = kv.watch('t/x*').subscribe((entry) => seen.push(entry?.value));
    await eventually(() => seen.length === 2);
    expect(new Set(seen)).toEqual(new Set([1, 'star']));
    tree.unsubscribe();
    key.unsubscribe();
  });

  it('watches a tree, and leaves out what its codec refuses', async () => {
    const seen: unknown[] = [];
    const subscription = kv
      .watchTree<Limits>('t/tree/', { codec: jsonCodec<Limits>() })
      .subscribe((tree) => seen.push(tree.map(({ key, value }) => [key, value.rate])));
    await eventually(() => seen.length === 1);
    await kv.put('t/tree/a', '{"rate":1}');
    await eventually(() => seen.length === 2);
    await kv.put('t/tree/b', 'hunter2');
    await eventually(() => app.logger.matching(/value of t\/tree\/b: it is not JSON/).length > 0);
    await kv.deleteTree('t/tree/');
    await eventually(() => (seen.at(-1) as unknown[]).length === 0);
    expect(seen.slice(0, 2)).toEqual([[], [['t/tree/a', 1]]]);
    expect(app.logger.matching(/hunter2/)).toEqual([]);
    subscription.unsubscribe();
  });

  it('sees changes of more keys than it has connections', async () => {
    const count = 40;
    const seen = new Map<number, string | undefined>();
    const subscriptions = Array.from({ length: count }, (_, n) =>
      kv.watch(`t/many/${n}`).subscribe((entry) => seen.set(n, entry?.value)),
    );
    for (let n = 0; n < count; n++) await kv.put(`t/many/${n}`, 'x');
    await eventually(() => [...seen.values()].filter((value) => value === 'x').length === count, {
      within: 60_000,
    });
    for (const subscription of subscriptions) subscription.unsubscribe();
  });

  it('waits no longer than agent.maxWait, for a key, a missing key and a tree', async () => {
    const limited = ConsulClient.create({ url: proxy.url, maxWait: '7s' });
    const store = new ConsulKv(limited);
    await kv.put('t/there', 'x');
    proxy.requests.length = 0;
    const subscriptions = [
      store.watch('t/there').subscribe(),
      store.watch('t/missing').subscribe(),
      store.watchTree('t/').subscribe(),
    ];
    const waits = (): string[] => proxy.requests.flatMap(({ what }) => /wait=\w+/.exec(what)?.[0] ?? []);
    await eventually(() => waits().length >= 3);
    expect(new Set(waits())).toEqual(new Set(['wait=7000ms']));
    for (const subscription of subscriptions) subscription.unsubscribe();
    store.beforeApplicationShutdown();
    await limited.close();
  });

  it('completes its watches when the app is closed', async () => {
    const closing = await startApp(rootModule([ConsulModule.forRoot({ agent: { url: consul.url } })]));
    let isComplete = false;
    const values: unknown[] = [];
    closing.app
      .get(ConsulKv)
      .watch('t/end')
      .subscribe({ next: (value) => values.push(value), complete: () => (isComplete = true) });
    await eventually(() => values.length === 1);
    await closing.app.close();
    await eventually(() => isComplete);
    let isLateComplete = false;
    closing.app
      .get(ConsulKv)
      .watch('t/late')
      .subscribe({ complete: () => (isLateComplete = true) });
    await eventually(() => isLateComplete);
  });
});

describe('ConsulKv with ACLs', () => {
  it('names the permission that is missing, also where Consul leaves it out in silence', async () => {
    const management = randomUUID();
    const consul = await startTestConsul({ token: management });
    const Name = 'reader';
    await consul.request('PUT', '/v1/acl/policy', { Name, Rules: 'key_prefix "open/" { policy = "read" }' });
    const answer = await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name }] });
    const { SecretID: token } = answer.body as { SecretID: string };
    await consul.request('PUT', '/v1/kv/hidden/a', '1');
    await consul.request('PUT', '/v1/kv/open/a', '1');
    const client = ConsulClient.create({ url: consul.url, token });
    const kv = new ConsulKv(client);
    expect((await kv.get('open/a'))?.value).toBe('1');
    await expect(kv.transaction([{ type: 'get', key: 'open/a' }])).resolves.toHaveLength(1);
    const denied = { code: 'RK_ACL_DENIED' };
    await expect(kv.get('hidden/a')).rejects.toMatchObject(denied);
    await expect(kv.transaction([{ type: 'get', key: 'hidden/a' }])).rejects.toMatchObject(denied);
    await expect(kv.transaction([{ type: 'set', key: 'open/a', value: '2' }])).rejects.toMatchObject(denied);
    await client.close();
    await consul.stop();
  });
});
