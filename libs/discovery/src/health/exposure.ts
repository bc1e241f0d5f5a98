import type { IncomingMessage } from 'node:http';
import { isCrossSite } from '../receiving/cross-site.js';
import { isProxied } from '../receiving/proxied.js';

/** Which callers may read an endpoint: none, those on this host, or all. */
export type Exposure = 'none' | 'loopback' | 'public';

/** With `loopback`, a request through a proxy on this host, or of a page of another site in a browser on it, does not count as one from this host. */
export function isExposedTo(
  exposure: Exposure,
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
): boolean {
  if (exposure !== 'loopback') return exposure === 'public';
  const isForThisHost = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/i.test(headers.host ?? '');
  const { remoteAddress = '' } = socket;
  return (
    !isProxied(headers) &&
    !isCrossSite(headers) &&
    isForThisHost &&
    /^(127\.|::1$|::ffff:127\.)/.test(remoteAddress)
  );
}
