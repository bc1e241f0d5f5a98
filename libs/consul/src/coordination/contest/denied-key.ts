import { DiscoveryError } from '@rookery/discovery';
import { ruleOf } from '../../acl/acl-right.js';

/** Names the right that a lock needs, where a single read or write names its own. */
export async function withKeyRight<T>(key: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DiscoveryError) || error.code !== 'RK_ACL_DENIED') throw error;
    const rule = ruleOf({ resource: 'key', access: 'write', name: key, isPrefix: true });
    throw new DiscoveryError('RK_ACL_DENIED', `the token may not lock ${key}`, {
      hint: `Add ${rule} to its policy`,
      cause: error,
    });
  }
}
