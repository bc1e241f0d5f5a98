import { describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { GuardedOperation } from '../../kv/guarded-operation.js';
import type { Lock } from '../contention/lock.js';
import { TickClaim } from './tick-claim.js';

const TICK = Date.parse('2026-11-26T03:00:00Z');

/** A key that only the leader writes. */
class Records {
  value: string | undefined;
  index = 0;
  isLeader = true;
  loses: 'the request' | 'the response' | undefined;
  readonly store = {
    read: async () =>
      this.value === undefined ? undefined : { key: 'k', value: this.value, modifyIndex: this.index },
    replace: async (_key: string, value: string | undefined, modifyIndex: number) => {
      if (modifyIndex !== this.index) return false;
      this.value = value;
      if (value === undefined) this.index = 0;
      else this.index++;
      return true;
    },
  };
  readonly term = {
    guardedWrite: async ([operation]: GuardedOperation[]) => {
      if (!this.isLeader) throw new DiscoveryError('RK_LOCK_LOST', 'another leads');
      if (this.loses === 'the request') throw new Error('no response');
      if (operation?.type !== 'compareAndSet' || operation.modifyIndex !== this.index)
        throw new DiscoveryError('RK_TRANSACTION_CONFLICT', 'index is stale');
      this.value = operation.value as string;
      this.index++;
      if (this.loses === 'the response') throw new Error('no response');
      return [{ key: 'k', value: '', modifyIndex: this.index }];
    },
  } as unknown as Lock;

  claim(tick = TICK, by = 'me'): TickClaim {
    return new TickClaim(this.store, 'k', { tick, by });
  }
}

describe('TickClaim', () => {
  it('is written under the lock of the leader, before the tick is run', async () => {
    const records = new Records();
    expect(await records.claim().try(records.term)).toBe(true);
    expect(JSON.parse(records.value ?? '')).toMatchObject({ tick: '2026-11-26T03:00:00.000Z', by: 'me' });
    records.isLeader = false;
    await expect(records.claim(TICK + 1).try(records.term)).rejects.toThrow('another leads');
  });

  it('is refused for a tick that another one has run, or a later one of it', async () => {
    const records = new Records();
    await records.claim().try(records.term);
    for (const tick of [TICK, TICK - 60_000]) expect(await records.claim(tick).try(records.term)).toBe(false);
    const next = records.claim(TICK + 60_000);
    expect(await next.try(records.term)).toBe(true);
    expect(next.previous).toMatchObject({ tick: TICK, by: 'me' });
  });

  it('is known again when its response was lost, with the tick before', async () => {
    const records = new Records();
    await records.claim().try(records.term);
    const claim = records.claim(TICK + 1);
    records.loses = 'the response';
    await expect(claim.try(records.term)).rejects.toThrow('no response');
    expect(claim.isDoubtful).toBe(true);
    expect(await claim.try(records.term)).toBe(true);
    expect(claim.previous).toMatchObject({ tick: TICK });
  });

  it.each(['the request', 'the response'] as const)('is given back, also when %s was lost', async (lost) => {
    const records = new Records();
    const first = records.claim();
    await first.try(records.term);
    await first.giveBack();
    expect(records.value).toBeUndefined();
    await records.claim().try(records.term);
    const before = records.value;
    records.loses = lost;
    const claim = records.claim(TICK + 1);
    await expect(claim.try(records.term)).rejects.toThrow('no response');
    await claim.giveBack();
    expect(records.value).toBe(before);
    expect(claim.isDoubtful).toBe(false);
  });

  it('does not give back what another one has claimed since', async () => {
    const records = new Records();
    const claim = records.claim();
    await claim.try(records.term);
    await records.claim(TICK + 1, 'another').try(records.term);
    const after = records.value;
    await claim.giveBack();
    expect(records.value).toBe(after);
  });

  it.each(['', 'no JSON', '{}', '{"tick":"soon"}', '7'])(
    'replaces what somebody has edited: %s',
    async (value) => {
      const records = new Records();
      records.value = value;
      const claim = records.claim();
      expect(await claim.try(records.term)).toBe(true);
      expect(claim.previous).toBeUndefined();
    },
  );
});
