import { describe, expect, it } from '@jest/globals';
import type { ConsulClient } from '../../client/consul-client.js';
import type { TxnOutcome } from '../../client/api/types.js';
import { acquireKey, assertFlags, assertIndex } from './acquire-key.js';

describe('acquiring a key', () => {
  const lock = { type: 'lock', key: 'locks/a', value: 'x', session: 's', flags: 3n } as const;
  const outcomeOf = (outcome: Partial<TxnOutcome>): Promise<unknown> => {
    const commit = async (operations: readonly unknown[]): Promise<unknown> => {
      expect(operations).toEqual([
        expect.objectContaining({ KV: expect.objectContaining({ Verb: 'lock' }) }),
      ]);
      return { committed: false, results: [], errors: [], ...outcome };
    };
    return acquireKey({ txn: { commit } } as unknown as ConsulClient, [lock]);
  };
  const errors = (...texts: string[]): TxnOutcome['errors'] =>
    texts.map((What, OpIndex) => ({ OpIndex, What }));

  it('has the index of the last operation as its fence', async () => {
    const results = [
      { KV: { ModifyIndex: 3 } },
      { KV: { ModifyIndex: 7 } },
    ] as unknown as TxnOutcome['results'];
    expect(await outcomeOf({ committed: true, results })).toEqual({ outcome: 'acquired', fence: 7 });
  });

  it.each([
    ['failed to lock key "a", lock-delay is in effect', 'delayed'],
    ['lock delay', 'delayed'],
    ['invalid session "s"', 'session-lost'],
    ['failed to lock key, already held', 'occupied'],
    ['something else', 'raced'],
  ])('%s: %s', async (text, outcome) => {
    expect(await outcomeOf({ errors: errors('another', text) })).toEqual({ outcome });
  });

  it.each(['Permission denied', 'ACL not found'])('fails without the right: %s', async (text) => {
    await expect(outcomeOf({ errors: errors(text, 'already held') })).rejects.toMatchObject({
      code: 'RK_ACL_DENIED',
    });
  });

  it('leaves a key alone that is something else', () => {
    assertFlags(undefined, 'a', 7n);
    assertFlags({ flags: Number(2n ** 62n) }, 'a', 2n ** 62n);
    expect(() => assertFlags({ flags: 0 }, 'locks/a', 7n)).toThrow(
      expect.objectContaining({
        code: 'RK_LOCK_CONFLICT',
        message: expect.stringContaining('locks/a is in use for something else'),
        hint: 'Use another key: acquiring it would overwrite its value',
      }),
    );
  });

  it('takes no index that Consul would not have given', () => {
    expect(assertIndex(1)).toBe(1);
    for (const index of [0, -1, 1.5, 2 ** 53, '7', undefined])
      expect(() => assertIndex(index)).toThrow(
        expect.objectContaining({
          code: 'RK_REGISTRY_BAD_RESPONSE',
          hint: 'Another server than Consul may be listening at this address',
        }),
      );
  });
});
