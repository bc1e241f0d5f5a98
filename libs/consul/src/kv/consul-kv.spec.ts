import { setImmediate } from 'node:timers/promises';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import {
  eventually,
  FakeClock,
  FakeKeyStore,
  HeldRequests,
  RecordingLogger,
  settle,
} from '@rookery/test-support';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulKv } from './consul-kv.js';
import { bytesCodec, jsonCodec } from './kv-codec.js';
import { isSameEntry } from './kv-value.js';

describe('ConsulKv', () => {
  let store: FakeKeyStore;
  let kv: ConsulKv;
  let logger: RecordingLogger;

  beforeEach(() => {
    store = new FakeKeyStore((id) => new Error(id));
    kv = new ConsulKv(store as unknown as ConsulClient);
    logger = new RecordingLogger();
    Logger.overrideLogger(logger);
  });
  afterEach(() => {
    kv.beforeApplicationShutdown();
    Logger.overrideLogger(new ConsoleLogger());
  });

  it('takes no schema that is asynchronous, whatever becomes of its check', async () => {
    const validate = () => Promise.reject(new Error('no such user'));
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
    store.set('a', '1');
    await expect(kv.get('a', { codec: jsonCodec(schema as never) })).rejects.toMatchObject({
      message: expect.stringContaining('its schema is asynchronous') as unknown,
    });
    // A rejection that nobody handles would be told within a turn.
    await setImmediate();
  });

  it('writes and reads values by a codec, with the options of the request', async () => {
    const codec = jsonCodec<{ n: number }>();
    await kv.put('a', { n: 1 }, { codec, flags: 7, timeout: '2s' });
    expect(store.calls).toMatchObject([{ name: 'put', options: { flags: 7, timeout: '2s' } }]);
    expect(await kv.get('a', { codec, datacenter: 'dc2' })).toMatchObject({
      ...{ key: 'a', value: { n: 1 }, flags: 7, modifyIndex: 11, session: undefined },
    });
    expect(store.calls[1]).toMatchObject({ name: 'get', options: { datacenter: 'dc2' } });
    expect(await kv.get('none')).toBeUndefined();
    store.set('b/x', new Uint8Array([255]));
    expect((await kv.list('b/', { codec: bytesCodec }))[0]?.value).toEqual(Buffer.from([255]));
    await expect(kv.put('a', { n: 1 } as never)).rejects.toMatchObject({
      ...{ code: 'RK_INVALID_ARGUMENT', hint: expect.stringContaining('jsonCodec') },
    });
    await expect(kv.get('b/x', { codec })).rejects.toMatchObject({
      ...{ code: 'RK_REGISTRY_BAD_RESPONSE', hint: 'Another codec may have written it' },
    });
  });

  it('writes a value that has not changed since, and deletes one', async () => {
    expect(await kv.compareAndSet('a', 'new', 0, { timeout: '2s' })).toBe(true);
    expect(store.calls[0]).toMatchObject({ options: { cas: 0, timeout: '2s' } });
    expect(await kv.compareAndSet('a', 'late', 0)).toBe(false);
    // Of a value that was not there: Consul would write in any case.
    for (const index of [undefined as never, NaN, -1, 1.5])
      await expect(kv.compareAndSet('a', 'late', index)).rejects.toMatchObject({
        code: 'RK_INVALID_ARGUMENT',
        message: expect.stringContaining(`modifyIndex: ${index} is no index`) as unknown,
      });
    expect(await kv.delete('a', { modifyIndex: 5, timeout: '3s' })).toBe(false);
    expect(store.calls.at(-1)?.options).toEqual({ cas: 5, timeout: '3s' });
    expect(await kv.delete('a', { timeout: '3s' })).toBe(true);
    expect(store.calls.at(-1)?.options).toEqual({ timeout: '3s' });
    await expect(kv.delete('')).rejects.toMatchObject({
      ...{ code: 'RK_INVALID_ARGUMENT', hint: "Use a key such as 'config/inventory/limit'" },
    });
  });

  it('updates what is there, or not, as often as others are faster, up to ten times', async () => {
    expect(await kv.update('a', (value) => `${value ?? 'none'}!`)).toBe('none!');
    expect(await kv.update('a', (value) => `${value ?? 'none'}!`)).toBe('none!!');
    const leave = (): string | undefined => undefined;
    expect(await kv.update('a', leave)).toBe('none!!');
    let races = 9;
    store.before = ({ name }) => {
      if (name !== 'put' || races-- === 0) return;
      store.set('a', `theirs ${races}`);
    };
    expect(await kv.update('a', (value) => `${value ?? ''}, ours`)).toBe('theirs 0, ours');
    races = 100;
    store.calls.length = 0;
    await expect(kv.update('a', () => 'x')).rejects.toMatchObject({
      code: 'RK_TRANSACTION_CONFLICT',
      message: expect.stringContaining('update of a: another writer was faster 10 times'),
      hint: 'Many writers of one key need a lock, or a key for each',
    });
    expect(store.asked.filter((call) => call === 'put a')).toHaveLength(10);
  });

  describe('in a transaction', () => {
    it('says when a key may not be read, which Consul leaves out', async () => {
      store.set('a', '1');
      store.txn.commit = async () => ({
        ...{ committed: true, errors: [] },
        results: [{ KV: { Key: 'a', Value: 'MQ==', ModifyIndex: 3, Flags: 9, Session: 's' } }],
      });
      expect(await kv.transaction([{ type: 'get', key: 'a' }])).toEqual([
        { key: 'a', value: '1', modifyIndex: 3, flags: 9, session: 's' },
      ]);
      await expect(
        kv.transaction([
          { type: 'get', key: 'a' },
          { type: 'get', key: 'b' },
        ]),
      ).rejects.toMatchObject({
        code: 'RK_ACL_DENIED',
        message: expect.stringContaining('the token may not read b'),
        hint: 'It needs key:read on every key of it',
      });
    });

    it('has at most 512 KiB, in all and of one value', async () => {
      const set = (key: string, length: number) => ({ type: 'set', key, value: 'x'.repeat(length) }) as const;
      await expect(kv.transaction([set('a', 1), set('b', 524_289)])).rejects.toMatchObject({
        ...{ code: 'RK_INVALID_ARGUMENT', hint: 'Consul takes at most 524288' },
        message: expect.stringContaining('operation 1: value of b: 524289 bytes'),
      });
      // Its base64, the key in quotes, and 80 more: 524288.
      await kv.transaction([set('a', 393_153)]);
      await expect(kv.transaction([set('a', 393_154)])).rejects.toMatchObject({
        ...{ message: expect.stringContaining('transaction of 524291 bytes') },
        hint: 'Consul takes at most 524288; split it',
      });
      await expect(kv.transaction([set('a', 200_000), set('b', 200_000)])).rejects.toMatchObject({
        message: expect.stringContaining('transaction of'),
      });
      await expect(kv.transaction([{ type: 'deleteTree', prefix: '' }])).rejects.toMatchObject({
        code: 'RK_INVALID_ARGUMENT',
      });
      await expect(kv.transaction([{ type: 'get', key: 'a//b' }])).rejects.toMatchObject({
        code: 'RK_INVALID_ARGUMENT',
      });
    });

    it('sends each operation as Consul has it', async () => {
      const sent: unknown[] = [];
      store.txn.commit = async (operations) => {
        sent.push(...operations.map(({ KV }) => KV));
        return { committed: true, results: [], errors: [] };
      };
      await kv.transaction([
        { type: 'set', key: 'a', value: '1', flags: 3 },
        { type: 'compareAndSet', key: 'b', value: '1', modifyIndex: 7, flags: 4 },
        { type: 'delete', key: 'c' },
        { type: 'compareAndDelete', key: 'd', modifyIndex: 8 },
        { type: 'deleteTree', prefix: 'e/' },
        { type: 'checkIndex', key: 'f', modifyIndex: 9 },
        { type: 'checkNotExists', key: 'g' },
        { type: 'checkSession', key: 'h', session: 's' },
        { type: 'lock', key: 'i', value: '1', session: 's', flags: 5n },
      ]);
      expect(sent).toEqual([
        { Verb: 'set', Key: 'a', Value: 'MQ==', Flags: 3 },
        { Verb: 'cas', Key: 'b', Value: 'MQ==', Index: 7, Flags: 4 },
        { Verb: 'delete', Key: 'c' },
        { Verb: 'delete-cas', Key: 'd', Index: 8 },
        { Verb: 'delete-tree', Key: 'e/' },
        { Verb: 'check-index', Key: 'f', Index: 9 },
        { Verb: 'check-not-exists', Key: 'g' },
        { Verb: 'check-session', Key: 'h', Session: 's' },
        { Verb: 'lock', Key: 'i', Value: 'MQ==', Session: 's', Flags: 5n },
      ]);
      await expect(kv.transaction([{ type: 'frob', key: 'a' } as never])).rejects.toMatchObject({
        ...{ code: 'RK_INVALID_ARGUMENT', hint: expect.stringMatching(/^Known types: set, compareAndSet/) },
      });
    });
  });

  describe('that watches', () => {
    let reads: HeldRequests<[body: unknown, index?: string]>;
    const entry = (key: string, value: string, modifyIndex = 7) => ({
      ...{ key, value: Buffer.from(value), flags: 0, session: undefined, modifyIndex },
    });
    beforeEach(() => {
      reads = new HeldRequests(new FakeClock(), (body, index = '7') => ({ body, index }));
      const client = {
        ...{ blockingQueryLimit: 10, disconnects: 0, waitWithin: (ms: number) => ms },
        kv: { get: reads.ask, list: reads.ask },
      };
      kv = new ConsulKv(client as unknown as ConsulClient);
    });
    const follow = (): { seen: unknown[]; add: (value: { value: unknown } | undefined) => void } => {
      const seen: unknown[] = [];
      return { seen, add: (value) => seen.push(value?.value) };
    };

    it('tells of a value, each change of it, and that there is none', async () => {
      const { seen, add } = follow();
      const watching = kv.watch('a', { datacenter: 'dc2' }).subscribe(add);
      await settle();
      expect(reads.last).toMatchObject({ name: 'a', options: { datacenter: 'dc2' } });
      await reads.last.answer(entry('a', '1'));
      await eventually(() => reads.all.length === 2);
      expect(reads.last.options).toMatchObject({ index: '7', wait: expect.any(Number), datacenter: 'dc2' });
      await reads.last.answer(entry('a', '1'), '8');
      await eventually(() => reads.all.length === 3);
      await reads.last.answer(undefined, '9');
      expect(seen).toEqual(['1', undefined]);
      watching.unsubscribe();
    });

    it('leaves out a value that its codec refuses, and says so', async () => {
      const { seen, add } = follow();
      kv.watch('a', { codec: jsonCodec() }).subscribe(add);
      const trees: unknown[] = [];
      kv.watchTree('a/', { codec: jsonCodec() }).subscribe((values) =>
        trees.push(values.map(({ value }) => value)),
      );
      await settle();
      const [key, tree] = reads.all;
      await key?.answer(entry('a', 'no json'));
      expect([seen, logger.matching(/^error value of a: /)]).toEqual([[], [expect.anything()]]);
      await tree?.answer([entry('a/x', 'no json'), entry('a/y', '5')]);
      expect([trees, logger.matching(/^error value of a\/x: /)]).toEqual([[[5]], [expect.anything()]]);
    });

    it('shares one query between those that watch the same, and no other', async () => {
      for (const datacenter of [undefined, 'dc2', undefined])
        for (const prefix of ['a/', 'b/'])
          kv.watchTree(prefix, datacenter === undefined ? {} : { datacenter }).subscribe();
      await settle();
      expect(reads.all.map(({ name, options }) => [name, options.datacenter])).toEqual([
        ['a/', undefined],
        ['b/', undefined],
        ['a/', 'dc2'],
        ['b/', 'dc2'],
      ]);
      expect(() => kv.watchTree('a//b')).toThrow(DiscoveryError);
    });

    it('names what is watched when a subscriber throws', async () => {
      const fail = (): never => {
        throw new Error('a fault of the app');
      };
      kv.watch('a').subscribe(fail);
      kv.watch('a', { datacenter: 'dc2' }).subscribe(fail);
      kv.watchTree('b/').subscribe(fail);
      kv.watchTree('b/', { datacenter: 'dc2' }).subscribe(fail);
      await settle();
      for (const read of reads.all.slice(0, 4)) await read.answer(read.name === 'a' ? entry('a', '1') : []);
      expect(logger.lines).toEqual(
        ['a', 'a in dc2', 'b/*', 'b/* in dc2'].map(
          (name) => `error a subscriber of ${name} threw: a fault of the app undefined ConsulKv`,
        ),
      );
    });

    it('takes an entry for another one when anything of it has changed', () => {
      const before = { ...entry('a', '1'), createIndex: 1, lockIndex: 0 };
      expect(isSameEntry(before, { ...before, value: Buffer.from('1') })).toBe(true);
      for (const change of [{ key: 'b' }, { value: Buffer.from('2') }, { session: 's' }, { modifyIndex: 8 }])
        expect(isSameEntry(before, { ...before, ...change })).toBe(false);
      expect([isSameEntry(undefined, undefined), isSameEntry(before, undefined)]).toEqual([true, false]);
    });
  });
});
