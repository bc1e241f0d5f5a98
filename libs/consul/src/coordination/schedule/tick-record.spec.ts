import { describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import type { ConsulKv } from '../../kv/consul-kv.js';
import type { KvOperation } from '../../kv/kv-operation.js';
import { KvTransactionError } from '../../kv/kv-transaction-error.js';
import type { Lock } from '../contention/lock.js';
import { claimTick } from './tick-record.js';

const TICK = Date.parse('2026-11-26T03:00:00Z');
const claim = { tick: TICK, by: 'me', claim: 'c1' };

/** A key that only the leader writes. */
class Records {
  value: string | undefined;
  index = 0;
  isLeader = true;
  readonly kv = {
    get: async () =>
      this.value === undefined ? undefined : { key: 'k', value: this.value, modifyIndex: this.index },
    delete: async () => {
      this.value = undefined;
      return true;
    },
    compareAndSet: async (_key: string, value: string) => {
      this.value = value;
      return true;
    },
  } as unknown as ConsulKv;
  readonly term = {
    guardedWrite: async ([operation]: KvOperation[]) => {
      if (!this.isLeader) throw new DiscoveryError('RK_LOCK_LOST', 'another leads');
      if (operation?.type !== 'compareAndSet' || operation.modifyIndex !== this.index)
        throw new KvTransactionError([], [{ OpIndex: 0, What: 'index is stale' }]);
      this.value = operation.value as string;
      return [{ key: 'k', value: '', modifyIndex: ++this.index }];
    },
  } as unknown as Lock;
}

describe('claimTick', () => {
  it('is written under the lock of the leader, before the tick is run', async () => {
    const records = new Records();
    expect(await claimTick(records.kv, records.term, 'k', claim)).toMatchObject({ outcome: 'claimed' });
    expect(JSON.parse(records.value ?? '')).toEqual({
      tick: '2026-11-26T03:00:00.000Z',
      by: 'me',
      claim: 'c1',
    });
    records.isLeader = false;
    await expect(
      claimTick(records.kv, records.term, 'k', { ...claim, tick: TICK + 1, claim: 'c2' }),
    ).rejects.toThrow('another leads');
  });

  it('is refused for a tick that another one has run, or a later one of it', async () => {
    const records = new Records();
    await claimTick(records.kv, records.term, 'k', claim);
    for (const tick of [TICK, TICK - 60_000])
      expect(await claimTick(records.kv, records.term, 'k', { ...claim, tick, claim: 'c2' })).toEqual({
        outcome: 'done',
      });
    const next = await claimTick(records.kv, records.term, 'k', {
      ...claim,
      tick: TICK + 60_000,
      claim: 'c3',
    });
    expect(next).toMatchObject({ outcome: 'claimed', previous: { tick: TICK, by: 'me' } });
  });

  it('is known again when its response was lost', async () => {
    const records = new Records();
    await claimTick(records.kv, records.term, 'k', claim);
    expect(await claimTick(records.kv, records.term, 'k', claim)).toMatchObject({ outcome: 'claimed' });
  });

  it('can be given back, for the next leader', async () => {
    const records = new Records();
    const first = await claimTick(records.kv, records.term, 'k', claim);
    if (first.outcome === 'claimed') await first.giveBack();
    expect(records.value).toBeUndefined();
    records.index = 0;
    await claimTick(records.kv, records.term, 'k', claim);
    const before = records.value;
    const second = await claimTick(records.kv, records.term, 'k', { ...claim, tick: TICK + 1, claim: 'c2' });
    if (second.outcome === 'claimed') await second.giveBack();
    expect(records.value).toBe(before);
  });

  it.each(['', 'no JSON', '{}', '{"tick":"soon"}', '7'])(
    'replaces what somebody has edited: %s',
    async (value) => {
      const records = new Records();
      records.value = value;
      expect(await claimTick(records.kv, records.term, 'k', claim)).toMatchObject({
        outcome: 'claimed',
        previous: undefined,
      });
    },
  );
});
