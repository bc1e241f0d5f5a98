import { beforeEach, describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import type { Lease } from '@rookery/discovery/adapter';
import { FakeKeyStore } from '@rookery/test-support';
import type { ConsulClient } from '../../client/consul-client.js';
import { ConsulKv } from '../../kv/consul-kv.js';
import { KeyLock, LOCK_FLAGS, type LockState } from './key-lock.js';

describe('KeyLock', () => {
  const KEY = 'locks/a';
  const FLAGS = Number(LOCK_FLAGS);
  const { signal } = new AbortController();
  let store: FakeKeyStore;
  let lock: KeyLock;
  let holder: object;

  beforeEach(() => {
    store = new FakeKeyStore((id) => new Error(id));
    for (const id of ['mine', 'theirs']) store.sessions.set(id, { Name: id, TTL: '15s' });
    holder = { by: 'me' };
    const client = store as unknown as ConsulClient;
    const openSession = async (...options: unknown[]): Promise<Lease> => options as unknown as Lease;
    lock = new KeyLock(KEY, { client, kv: new ConsulKv(client), openSession }, () => holder);
  });
  const denied = (): never => {
    throw new DiscoveryError('RK_ACL_DENIED', 'Permission denied');
  };

  it('is a key that stays when its session expires', async () => {
    const options = {} as never;
    expect(await lock.openLease('name', options)).toEqual(['name', 'release', options]);
    expect([lock.lockKey(), lock.localLimit, lock.kind, lock.store]).toEqual([KEY, 1, 'lock', 'Consul']);
  });

  it('is acquired with what its holder says, and read as bytes', async () => {
    expect(await lock.read(signal)).toBeUndefined();
    expect(await lock.attempt('mine', undefined)).toEqual({ outcome: 'acquired', fence: 11 });
    const state = await lock.read(signal);
    expect(state).toMatchObject({ session: 'mine', flags: FLAGS, value: Buffer.from('{"by":"me"}') });
    expect(lock.holderOf(state)).toEqual({ session: 'mine', value: Buffer.from('{"by":"me"}') });
    expect([lock.isFree(state), lock.holds(state, 'mine'), lock.holds(state, 'theirs')]).toEqual([
      ...[false, true, false],
    ]);
    expect(lock.fenceOf(state)).toBe(11);
    expect(store.calls[0]?.options.signal).toBe(signal);
  });

  it('overwrites nothing that was written since it was read', async () => {
    store.set(KEY, 'x', { flags: FLAGS });
    expect(await lock.attempt('mine', undefined)).toEqual({ outcome: 'raced' });
    const before = await lock.read(signal);
    store.set(KEY, 'y', { flags: FLAGS });
    expect(await lock.attempt('mine', before)).toEqual({ outcome: 'raced' });
    expect(await lock.attempt('mine', await lock.read(signal))).toMatchObject({ outcome: 'acquired' });
  });

  it('is free without a session, and has no holder', async () => {
    store.set(KEY, 'left', { flags: FLAGS });
    const state = await lock.read(signal);
    for (const free of [state, undefined] satisfies LockState[])
      expect([lock.isFree(free), lock.holderOf(free), lock.holds(free, 'mine')]).toEqual([
        ...[true, undefined, false],
      ]);
    expect(() => lock.fenceOf(undefined)).toThrow(
      expect.objectContaining({ code: 'RK_REGISTRY_BAD_RESPONSE' }),
    );
  });

  it('leaves a key alone that is something else, but not one that is held, whose flags a write has reset', async () => {
    store.set(KEY, 'x', { flags: 0 });
    await expect(lock.read(signal)).rejects.toMatchObject({ code: 'RK_LOCK_CONFLICT' });
    store.set(KEY, 'x', { flags: 0, session: 'theirs' });
    expect(await lock.read(signal)).toMatchObject({ session: 'theirs' });
  });

  it('asks the leader who holds it', async () => {
    store.set(KEY, new Uint8Array([0xff]), { flags: FLAGS, session: 'mine' });
    expect(await lock.isHeldBy('mine', signal)).toBe(true);
    expect(await lock.isHeldBy('theirs', signal)).toBe(false);
    expect(store.calls[0]).toMatchObject({ name: 'get', options: { consistency: 'consistent', signal } });
    expect((await lock.read(signal))?.value).toEqual(Buffer.from([0xff]));
  });

  it('is deleted by its holder only', async () => {
    await lock.attempt('mine', undefined);
    expect(await lock.release('theirs', 1_000)).toBe(false);
    expect(store.entries.size).toBe(1);
    expect(await lock.release('mine', 1_000)).toBe(true);
    expect(store.entries.size).toBe(0);
    expect(store.calls.at(-1)).toMatchObject({ name: 'commit', options: { timeout: 1_000 } });
  });

  it('fails to be released for any other reason', async () => {
    const errors = [
      { OpIndex: 0, What: 'failed session check for key' },
      { OpIndex: 1, What: 'Permission denied' },
    ];
    store.txn.commit = async () => ({ committed: false, results: [], errors });
    await expect(lock.release('mine', 1_000)).rejects.toMatchObject({ code: 'RK_ACL_DENIED' });
    store.txn.commit = async () => ({ committed: false, results: [], errors: errors.slice(0, 1) });
    expect(await lock.release('mine', 1_000)).toBe(false);
  });

  it('names the right that it needs', async () => {
    store.before = denied;
    const refusal = {
      code: 'RK_ACL_DENIED',
      hint: 'Add key_prefix "locks/a" { policy = "write" } to its policy',
    };
    await expect(lock.read(signal)).rejects.toMatchObject(refusal);
    await expect(lock.attempt('mine', undefined)).rejects.toMatchObject(refusal);
  });

  it('changes what the key holds, as its holder', async () => {
    await lock.attempt('mine', undefined);
    holder = { by: 'me', since: 'today' };
    await lock.describe('mine');
    expect(store.entries.get(KEY)).toMatchObject({
      ...{ session: 'mine', flags: FLAGS, value: Buffer.from('{"by":"me","since":"today"}') },
    });
    await expect(lock.describe('theirs')).rejects.toMatchObject({ code: 'RK_TRANSACTION_CONFLICT' });
    store.entries.clear();
    await expect(lock.describe('mine')).rejects.toMatchObject({ code: 'RK_TRANSACTION_CONFLICT' });
    expect(store.entries.size).toBe(0);
  });

  it('writes for its holder only', async () => {
    await lock.attempt('mine', undefined);
    const write = { type: 'set', key: 'b', value: '1' } as const;
    expect(await lock.guardedWrite('theirs', [write])).toBeUndefined();
    expect(await lock.guardedWrite('mine', [write])).toMatchObject([{ key: 'b' }]);
    expect(String(store.entries.get('b')?.value)).toBe('1');
  });

  it('tells of the session of a holder', async () => {
    expect(await lock.describeSession('theirs')).toEqual({
      ...{ id: 'theirs', node: 'node', name: 'theirs', ttl: '15s' },
    });
    expect(await lock.describeSession('none')).toBeUndefined();
  });
});
