import { DiscoveryError } from '@rookery/discovery';
import { kvPath } from '../../client/api/kv-key.js';

/** @throws DiscoveryError `RK_INVALID_ARGUMENT` for a key that Consul would change */
export function assertLockKey(key: string): string {
  if (typeof key !== 'string' || key.trim() === '') {
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `key of a lock: ${JSON.stringify(key)}`, {
      hint: "Use a key such as 'locks/nightly'",
    });
  }
  kvPath(key);
  return key;
}
