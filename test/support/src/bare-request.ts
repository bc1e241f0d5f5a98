import { readFileSync } from 'node:fs';
import { Agent, fetch, type Headers } from 'undici';
import type { TestCertificates } from './test-certificates.js';

export interface BareAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** What `text` is as JSON; undefined when it is none. */
  readonly body: unknown;
}

/** Where the request goes, and as whom. */
export interface BareAccess {
  readonly url: string;
  readonly token?: string | undefined;
  /** Default: without TLS. */
  readonly certificates?: Pick<TestCertificates, 'file'> | undefined;
}

export type BareRequest = readonly [
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
];

/** That a test does not hang; as generous as `eventually`, since the machine is shared. */
const WITHIN_MS = 15_000;

/** A request without the client under test, to look at Consul from outside. */
export async function bareRequest(
  { url, token, certificates }: BareAccess,
  ...[method, path, body, headers = {}]: BareRequest
): Promise<BareAnswer> {
  const dispatcher = certificates && withCertificates(certificates);
  const response = await fetch(url + path, {
    ...(dispatcher ? { dispatcher } : {}),
    method,
    headers: { ...(token ? { 'x-consul-token': token } : {}), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  const text = await response.text();
  await dispatcher?.close();
  return { status: response.status, headers: response.headers, text, body: parse(text) };
}

function withCertificates(certificates: Pick<TestCertificates, 'file'>): Agent {
  const [ca, cert, key] = (['ca', 'client', 'client-key'] as const).map((name) =>
    readFileSync(certificates.file(name), 'utf8'),
  );
  return new Agent({ connect: { ...{ ca, cert, key } } });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
