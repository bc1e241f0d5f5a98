import { DiscoveryError } from '@rookery/discovery';
import { keyIssue as commonIssue } from '@rookery/discovery/adapter';

/**
 * The path of a key. Consul normalizes paths: a write to `a//b` or `x/../y` is redirected and changes another key, so that
 * such keys are rejected here.
 */
export function kvPath(key: string): string {
  const issue = keyIssue(key);
  if (issue === undefined) return `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `key: ${JSON.stringify(key)} ${issue}`, {
    hint: "Use a key such as 'config/inventory/limit'",
  });
}

/** Why a key cannot be used; undefined: it can. */
export function keyIssue(key: string): string | undefined {
  return key.startsWith('/') ? 'begins with a slash' : commonIssue(key);
}
