import type { IncomingMessage } from 'node:http';

/** Which callers may read an endpoint: none, those on this host, or all. */
export type Exposure = 'none' | 'loopback' | 'public';

const PROXY_HEADERS = [
  ...['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-real-ip'],
  ...['x-envoy-external-address', 'forwarded', 'via'],
] as const;

/** With `loopback`, a request through a proxy on this host does not count as one from this host. */
export function isExposedTo(
  exposure: Exposure,
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
): boolean {
  if (exposure !== 'loopback') return exposure === 'public';
  const isProxied = PROXY_HEADERS.some((name) => headers[name] !== undefined);
  const isForThisHost = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/i.test(headers.host ?? '');
  const { remoteAddress = '' } = socket;
  return !isProxied && isForThisHost && /^(127\.|::1$|::ffff:127\.)/.test(remoteAddress);
}
