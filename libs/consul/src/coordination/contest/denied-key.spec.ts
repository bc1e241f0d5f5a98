import { describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import { withKeyRight } from './denied-key.js';

describe('withKeyRight', () => {
  it('names the right that a lock needs, and leaves other errors as they are', async () => {
    expect(await withKeyRight('locks/a', Promise.resolve(7))).toBe(7);
    const denied = new DiscoveryError('RK_ACL_DENIED', 'permission denied', {});
    await expect(withKeyRight('locks/a', Promise.reject(denied))).rejects.toMatchObject({
      code: 'RK_ACL_DENIED',
      message: expect.stringContaining('the token may not lock locks/a'),
      hint: expect.stringMatching(/^Add key_prefix "locks\/a" .*write.* to its policy$/),
      cause: denied,
    });
    const away = new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'away', {});
    await expect(withKeyRight('locks/a', Promise.reject(away))).rejects.toBe(away);
    const other = Object.assign(new Error('x'), { code: 'RK_ACL_DENIED' });
    await expect(withKeyRight('locks/a', Promise.reject(other))).rejects.toBe(other);
  });
});
