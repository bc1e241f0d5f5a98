import { DiscoveryError } from '../../errors/discovery-error.js';

/** What else is no key, the registry knows. @throws DiscoveryError `RK_INVALID_ARGUMENT` */
export function assertLockKey(key: string): string {
  if (typeof key === 'string' && key.trim() !== '') return key;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `key of a lock: ${JSON.stringify(key)}`, {
    hint: "Use a key such as 'locks/nightly'",
  });
}
