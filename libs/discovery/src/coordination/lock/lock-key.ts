import { DiscoveryError } from '../../errors/discovery-error.js';
import { keyIssue } from '../../kv/key-issue.js';

/** What else is no key, the registry knows. @throws DiscoveryError `RK_INVALID_ARGUMENT` */
export function assertLockKey(key: string): string {
  const isText = typeof key === 'string' && key.trim() !== '';
  const issue = isText ? keyIssue(key) : 'is no name';
  if (issue === undefined) return key;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `key of a lock: ${JSON.stringify(key)} ${issue}`, {
    hint: "Use a key such as 'locks/nightly'",
  });
}
