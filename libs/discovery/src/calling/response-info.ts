import { LOAD_HEADER, SERVICE_HEADER } from './call-headers.js';

/** What an HTTP response says about the instance that sent it. */
export interface HttpResponseInfo {
  readonly status: number;
  /** The `Retry-After` header. */
  readonly retryAfter: string | undefined;
  /** The `endpoint-load-metrics` header. */
  readonly load?: string | undefined;
  /** Whether it was our own module that rejected the request as misdirected. */
  readonly isMisdirected: boolean;
}

/** Of headers whose names are in lower case. */
export function parsedResponseInfo(
  status: number,
  headers: Readonly<Record<string, unknown>>,
): HttpResponseInfo {
  const retryAfter = status < 400 ? undefined : headers['retry-after'];
  const load = headers[LOAD_HEADER];
  return {
    status,
    retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
    load: typeof load === 'string' ? load : undefined,
    isMisdirected: status >= 400 && headers[SERVICE_HEADER] !== undefined,
  };
}

/** Reads a `Response` of fetch; undefined: the value is not one. */
export function fetchResponseInfo(value: unknown): HttpResponseInfo | undefined {
  const { status, headers } = (value ?? {}) as { status?: unknown; headers?: { get?: unknown } };
  if (typeof status !== 'number' || typeof headers?.get !== 'function') return undefined;
  const { headers: received } = value as Response;
  return {
    status,
    retryAfter: received.get('retry-after') ?? undefined,
    load: received.get(LOAD_HEADER) ?? undefined,
    isMisdirected: received.get(SERVICE_HEADER) !== null,
  };
}

/** The delay that a `Retry-After` header asks for: seconds, or a date (RFC 9110, 10.2.3). */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) : undefined;
  const delayMs = seconds === undefined ? Date.parse(header) - nowMs : seconds * 1_000;
  return Number.isFinite(delayMs) && delayMs > 0 ? delayMs : undefined;
}
