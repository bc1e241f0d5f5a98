import type { IncomingHttpHeaders } from 'node:http';

const PROXY_HEADERS = [
  ...['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-real-ip'],
  ...['x-envoy-external-address', 'forwarded', 'via'],
] as const;

/** A request came through a proxy: its address says nothing about the caller. */
export function isProxied(headers: IncomingHttpHeaders): boolean {
  return PROXY_HEADERS.some((name) => headers[name] !== undefined);
}
