import { DiscoveryError } from '../../errors/discovery-error.js';
import { keyIssue } from '../../kv/key-issue.js';

const HINT = "Use a key such as 'locks/nightly'";

/** @throws DiscoveryError `RK_INVALID_ARGUMENT` for a key that a registry would change */
export function assertLockKey(key: string): string {
  if (typeof key !== 'string' || key.trim() === '')
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `key of a lock: ${JSON.stringify(key)}`, { hint: HINT });
  const issue = keyIssue(key);
  if (issue === undefined) return key;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `key: ${JSON.stringify(key)} ${issue}`, { hint: HINT });
}
