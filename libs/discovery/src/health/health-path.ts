import type { IncomingMessage } from 'node:http';

/**
 * Whether a request asks for the health of the app, and for nothing else: below the path there is one plain segment at most, since what some servers make of
 * `/health/../secret` is another path.
 */
export function isHealthRequest(
  { method, url = '' }: Pick<IncomingMessage, 'method' | 'url'>,
  healthPath: string,
): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const [path = ''] = url.split('?');
  if (!path.startsWith(healthPath)) return false;
  return /^(\/[\w-]+)?$/.test(path.slice(healthPath.length));
}
