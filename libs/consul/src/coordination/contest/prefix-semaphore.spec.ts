import { beforeEach, describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import type { Lease } from '@rookery/discovery/adapter';
import { FakeKeyStore } from '@rookery/test-support';
import type { ConsulClient } from '../../client/consul-client.js';
import { ConsulKv } from '../../kv/consul-kv.js';
import { PrefixSemaphore, SEMAPHORE_FLAGS } from './prefix-semaphore.js';

describe('PrefixSemaphore', () => {
  const LOCK = 'permits/.lock';
  const FLAGS = Number(SEMAPHORE_FLAGS);
  const { signal } = new AbortController();
  let store: FakeKeyStore;
  let semaphore: PrefixSemaphore;

  const open = (limit: number, prefix = 'permits'): PrefixSemaphore => {
    const client = store as unknown as ConsulClient;
    const openSession = async (...options: unknown[]): Promise<Lease> => options as unknown as Lease;
    const tools = { client, kv: new ConsulKv(client), openSession };
    return new PrefixSemaphore(prefix, limit, tools, () => ({ by: 'me' }));
  };
  beforeEach(() => {
    store = new FakeKeyStore((id) => new Error(id));
    for (const id of ['a', 'b', 'c']) store.sessions.set(id, { Name: id, Behavior: 'delete' });
    semaphore = open(2);
  });
  const lists = (limit: number, ...holders: string[]): void =>
    store.set(
      LOCK,
      JSON.stringify({ Limit: limit, Holders: Object.fromEntries(holders.map((id) => [id, true])) }),
      {
        flags: FLAGS,
      },
    );
  const listed = (): unknown => {
    const entry = store.entries.get(LOCK);
    return entry && JSON.parse(String(entry.value));
  };

  it('lies below its prefix, with a slash at its end or without', async () => {
    expect([open(3, 'permits//').key, semaphore.lockKey('a'), semaphore.localLimit]).toEqual([
      ...['permits', 'permits/a', 2],
    ]);
    const options = {} as never;
    expect(await semaphore.openLease('name', options)).toEqual(['name', 'delete', options]);
  });

  it('is acquired by as many as its limit says, in the layout of Consul', async () => {
    const [first, second] = [await semaphore.attempt('a'), await semaphore.attempt('b')];
    expect([first, second]).toEqual([
      { outcome: 'acquired', fence: 12 },
      { outcome: 'acquired', fence: 14 },
    ]);
    expect(await semaphore.attempt('c')).toEqual({ outcome: 'occupied' });
    expect(listed()).toEqual({ Limit: 2, Holders: { a: true, b: true } });
    expect(store.entries.get('permits/a')).toMatchObject({
      ...{ session: 'a', flags: FLAGS, value: Buffer.from('{"by":"me"}') },
    });
    expect(store.entries.get(LOCK)).toMatchObject({ flags: FLAGS, session: undefined });
    const entries = await semaphore.read(signal);
    expect(semaphore.isFree(entries)).toBe(false);
    expect(['a', 'b', 'c'].map((id) => semaphore.holds(entries, id))).toEqual([true, true, false]);
    expect([semaphore.fenceOf(entries, 'b'), semaphore.fenceOf(entries, 'a')]).toEqual([13, 11]);
    expect(() => semaphore.fenceOf(entries, 'z')).toThrow(
      expect.objectContaining({ code: 'RK_REGISTRY_BAD_RESPONSE' }),
    );
  });

  it('is free while fewer hold it, not counting those whose sessions have ended', async () => {
    await semaphore.attempt('a');
    expect(semaphore.isFree(await semaphore.read(signal))).toBe(true);
    await semaphore.attempt('b');
    store.end('a');
    expect(semaphore.isFree(await semaphore.read(signal))).toBe(true);
    expect(await semaphore.attempt('c')).toMatchObject({ outcome: 'acquired' });
    expect(listed()).toEqual({ Limit: 2, Holders: { b: true, c: true } });
  });

  it('was acquired by an attempt whose response was lost', async () => {
    await semaphore.attempt('a');
    store.calls.length = 0;
    expect(await semaphore.attempt('a')).toMatchObject({ outcome: 'acquired' });
    expect(store.asked).toEqual(['commit lock permits/a', 'list permits/']);
    expect(listed()).toEqual({ Limit: 2, Holders: { a: true } });
  });

  it('reads from the leader what an attempt decides by, and whether it is held', async () => {
    store.set('permits/x', new Uint8Array([0xff]));
    await semaphore.attempt('a');
    expect(await semaphore.isHeldBy('a', signal)).toBe(true);
    expect(await semaphore.isHeldBy('b', signal)).toBe(false);
    const entries = await semaphore.read(signal);
    expect(entries.find(({ key }) => key === 'permits/x')?.value).toEqual(Buffer.from([0xff]));
    const reads = store.calls.filter(({ name }) => name === 'list').map(({ options }) => options);
    expect(reads.map(({ consistency, signal: own }) => [consistency, own])).toEqual([
      ['consistent', undefined],
      ['consistent', signal],
      ['consistent', signal],
      [undefined, signal],
    ]);
  });

  it('loses a race with another writer, and fails for anything else', async () => {
    store.before = ({ name, of }) => {
      if (name === 'commit' && of.startsWith('cas')) lists(2, 'b');
    };
    expect(await semaphore.attempt('a')).toEqual({ outcome: 'raced' });
    store.before = ({ name, of }) => {
      if (name === 'commit' && of.startsWith('cas')) throw new DiscoveryError('RK_REGISTRY_TIMEOUT', 'late');
    };
    await expect(semaphore.attempt('a')).rejects.toMatchObject({ code: 'RK_REGISTRY_TIMEOUT' });
    const refused = { committed: false, results: [], errors: [{ OpIndex: 0, What: 'Permission denied' }] };
    store.before = ({ name }) => {
      if (name === 'list') store.txn.commit = async () => refused;
    };
    await expect(semaphore.attempt('a')).rejects.toMatchObject({ code: 'RK_ACL_DENIED' });
  });

  it('names the right that it needs, and passes on what a session is refused', async () => {
    expect(await semaphore.attempt('gone')).toEqual({ outcome: 'session-lost' });
    store.before = () => {
      throw new DiscoveryError('RK_ACL_DENIED', 'Permission denied');
    };
    await expect(semaphore.attempt('a')).rejects.toMatchObject({
      ...{ code: 'RK_ACL_DENIED', hint: 'Add key_prefix "permits/" { policy = "write" } to its policy' },
    });
  });

  describe('that is released', () => {
    it('leaves the list to the others, and nothing at last', async () => {
      await semaphore.attempt('a');
      await semaphore.attempt('b');
      store.calls.length = 0;
      expect(await semaphore.release('a', 1_000)).toBe(true);
      expect(listed()).toEqual({ Limit: 2, Holders: { b: true } });
      expect(store.entries.get(LOCK)?.flags).toBe(FLAGS);
      expect([...store.entries.keys()]).toEqual([LOCK, 'permits/b']);
      expect(await semaphore.release('b', 1_000)).toBe(true);
      expect(store.entries.size).toBe(0);
      expect(store.calls.map(({ name, options }) => [name, options.timeout])).toEqual([
        ...['get', 'put', 'delete', 'get', 'delete', 'delete'].map((name) => [name, 1_000]),
      ]);
      expect(store.calls[0]?.options.consistency).toBe('consistent');
    });

    it('was not held by a session that is not in the list', async () => {
      expect(await semaphore.release('a', 1_000)).toBe(false);
      lists(2, 'b');
      store.set('permits/a', '{}', { session: 'a', flags: FLAGS });
      expect(await semaphore.release('a', 1_000)).toBe(false);
      expect([...store.entries.keys()]).toEqual([LOCK]);
      expect(listed()).toEqual({ Limit: 2, Holders: { b: true } });
    });

    it('tries again when another writer was faster, up to twenty times', async () => {
      for (const holders of [['a'], ['a', 'b']]) {
        lists(2, ...holders);
        let races = 19;
        store.calls.length = 0;
        store.before = ({ of, options }) => {
          if (of === LOCK && options.cas !== undefined && races-- > 0) lists(2, ...holders);
        };
        expect(await semaphore.release('a', 1_000)).toBe(true);
        expect(store.asked.filter((call) => call === `get ${LOCK}`)).toHaveLength(20);
        lists(2, ...holders);
        races = 100;
        store.calls.length = 0;
        await expect(semaphore.release('a', 1_000)).rejects.toMatchObject({
          ...{ code: 'RK_REGISTRY_ERROR', message: `${LOCK}: other writers were faster 20 times` },
        });
        expect(store.asked.filter((call) => call === `get ${LOCK}`)).toHaveLength(20);
      }
    });
  });

  it('leaves a key alone that is something else', async () => {
    for (const [value, flags] of [
      ['x', 0],
      ['x', FLAGS],
    ] as const) {
      store.set(LOCK, value, { flags });
      await expect(semaphore.read(signal)).rejects.toMatchObject({ code: 'RK_LOCK_CONFLICT' });
      await expect(semaphore.attempt('a')).rejects.toMatchObject({ code: 'RK_LOCK_CONFLICT' });
      expect(String(store.entries.get(LOCK)?.value)).toBe('x');
    }
    const entries = await new ConsulKv(store as unknown as ConsulClient).list('permits/');
    // Of that an attempt tells.
    expect(semaphore.isFree(entries as never)).toBe(true);
    expect(semaphore.holds(entries as never, 'a')).toBe(false);
  });

  it('needs the same limit of all while it is held', async () => {
    await open(3).attempt('a');
    const conflict = {
      ...{
        code: 'RK_LOCK_CONFLICT',
        message: expect.stringContaining('permits is a semaphore of 3, not of 2'),
      },
      hint: 'Every process has to use the same limit; it can be changed while there are no holders',
    };
    await expect(semaphore.read(signal)).rejects.toMatchObject(conflict);
    await expect(semaphore.attempt('b')).rejects.toMatchObject(conflict);
    store.end('a');
    expect(semaphore.isFree(await semaphore.read(signal))).toBe(true);
    expect(await semaphore.attempt('b')).toMatchObject({ outcome: 'acquired' });
    expect(listed()).toEqual({ Limit: 2, Holders: { b: true } });
  });

  it('writes for a holder only', async () => {
    await semaphore.attempt('a');
    const write = { type: 'set', key: 'x', value: '1' } as const;
    expect(await semaphore.guardedWrite('b', [write])).toBeUndefined();
    expect(await semaphore.guardedWrite('a', [write])).toMatchObject([{ key: 'x' }]);
    expect(String(store.entries.get('x')?.value)).toBe('1');
  });
});
