/**
 * Why a key is good for no registry; undefined: it is. Consul normalizes paths, so that a write to `a//b` or `x/../y` would change another key; in
 * etcd nobody would find it.
 */
export function keyIssue(key: string): string | undefined {
  const segments = key.replace(/^\//, '').split('/');
  if (segments.slice(0, -1).includes('')) return 'has two slashes in a row';
  if (segments.some((part) => part === '.' || part === '..')) return 'has a segment "." or ".."';
  // eslint-disable-next-line no-control-regex -- control characters are what it searches for
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'has a control character';
  // No UTF-8 stands for it: etcd would store another key, and a path cannot have it.
  if (/\p{Surrogate}/u.test(key)) return 'has half of a surrogate pair';
  return undefined;
}
