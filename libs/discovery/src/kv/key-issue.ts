/**
 * Why a key cannot be used; undefined: it can. Consul normalizes paths, so that a write to `a//b` or `x/../y` would change another key; a key that is
 * good for one registry is good for all.
 */
export function keyIssue(key: string): string | undefined {
  if (key.startsWith('/')) return 'begins with a slash';
  const segments = key.split('/');
  if (segments.slice(0, -1).includes('')) return 'has two slashes in a row';
  if (segments.some((part) => part === '.' || part === '..')) return 'has a segment "." or ".."';
  // eslint-disable-next-line no-control-regex -- control characters are what it searches for
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'has a control character';
  return undefined;
}
