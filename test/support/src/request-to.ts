import { readFileSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';

/** Begins a request as a proxy does: over TLS with the certificates of the environment, as the suites on a secured Consul have them. */
export function requestTo(
  url: URL,
  { method, headers }: Pick<IncomingMessage, 'method' | 'headers'>,
): ClientRequest {
  const options = { headers, ...(method === undefined ? {} : { method }) };
  return url.protocol === 'https:'
    ? secureRequest(url, { ...options, ...certificates() })
    : request(url, options);
}

function certificates(): Record<string, Buffer> {
  const files = { ca: 'CONSUL_CACERT', cert: 'CONSUL_CLIENT_CERT', key: 'CONSUL_CLIENT_KEY' };
  return Object.fromEntries(
    Object.entries(files).map(([name, variable]) => [name, readFileSync(process.env[variable] ?? '')]),
  );
}
