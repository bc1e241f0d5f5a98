import { describe, expect, it } from '@jest/globals';
import type { DiscoveryError } from '@rookery/discovery';
import { thrownBy } from '@rookery/test-support';
import type { EtcdKeyValue } from '../client/key-value.js';
import { assertUsable, toWaitingLine } from './waiting-line.js';

const entry = (key: string, createRevision: bigint, value = '', lease = 0x1fn): EtcdKeyValue => ({
  key,
  value: Buffer.from(value),
  createRevision,
  modRevision: createRevision,
  version: 1n,
  lease,
});

describe('a waiting line', () => {
  it('is in the order in which its keys were created, and has none of a lock below', () => {
    const line = toWaitingLine('orders/', [
      entry('orders/1f', 9n),
      entry('orders/2a', 4n, '', 0x2an),
      entry('orders/42/1f', 1n),
      entry('orders/3c', 12n, '', 0x3cn),
    ]);
    expect(line.map(({ key, lease }) => [key, lease])).toEqual([
      ['orders/2a', '2a'],
      ['orders/1f', '1f'],
      ['orders/3c', '3c'],
    ]);
  });

  it('is usable with what etcdctl writes, and not with keys that stay, or another limit', async () => {
    const check =
      (limit: number | undefined, ...entries: EtcdKeyValue[]) =>
      () =>
        assertUsable(toWaitingLine('a/', entries), 'a', limit);
    const lock = entry('a/1f', 1n, '{"pid":7}');
    const permit = entry('a/2f', 2n, '{"limit":3}', 0x2fn);
    expect(check(undefined, entry('a/1f', 1n), entry('a/2f', 2n, 'a proposal'), lock)).not.toThrow();
    expect(check(3, permit)).not.toThrow();
    expect(check(undefined, entry('a/b', 1n, '', 0n))).toThrow('a/b is in use for something else');
    expect(check(undefined, permit)).toThrow('a is a semaphore of 3, not a lock');
    expect(check(2, permit)).toThrow('a is a semaphore of 3, not a semaphore of 2');
    expect(check(2, lock)).toThrow('a is a lock, not a semaphore of 2');
    const hintOf = async (wrong: () => void): Promise<unknown> =>
      ((await thrownBy(wrong)) as DiscoveryError).hint;
    expect(await hintOf(check(undefined, entry('a/b', 1n, '', 0n)))).toMatch(/^Use another key than a:/);
    expect(await hintOf(check(2, lock))).toMatch(/^Every process has to use it in the same way/);
  });
});
