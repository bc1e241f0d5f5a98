import { DiscoveryError } from '@rookery/discovery';

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
  if (key.startsWith('/')) return 'begins with a slash';
  const segments = key.split('/');
  if (segments.slice(0, -1).includes('')) return 'has two slashes in a row';
  if (segments.some((part) => part === '.' || part === '..')) return 'has a segment "." or ".."';
  // eslint-disable-next-line no-control-regex -- control characters are what it searches for
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'has a control character';
  return undefined;
}
