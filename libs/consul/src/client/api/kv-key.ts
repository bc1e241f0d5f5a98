import { DiscoveryError } from '@rookery/discovery';

/**
 * The path of a key. Consul cleans paths: a write to `a//b` or `x/../y` is redirected and lands on another key, so
 * whatever would be cleaned is refused here.
 */
export function kvPath(key: string): string {
  const mistake = keyMistake(key);
  if (mistake === undefined) return `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `key: ${JSON.stringify(key)} ${mistake}`, {
    hint: "Use a key such as 'config/inventory/limit'",
  });
}

function keyMistake(key: string): string | undefined {
  if (key.startsWith('/')) return 'begins with a slash';
  const segments = key.split('/');
  if (segments.slice(0, -1).includes('')) return 'has two slashes in a row';
  if (segments.some((part) => part === '.' || part === '..')) return 'has a segment "." or ".."';
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'has a control character';
  return undefined;
}
