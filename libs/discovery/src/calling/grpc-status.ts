import { isError } from '../errors/error-message.js';

/** Source: grpc/doc/statuscodes.md. */
const UNKNOWN = 2;
const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const DATA_LOSS = 15;
const HIGHEST = 16;

/** The instance failed or is overloaded. */
export const GRPC_FAILURES: ReadonlySet<number> = new Set([
  DEADLINE_EXCEEDED,
  RESOURCE_EXHAUSTED,
  UNAVAILABLE,
]);

/** The handler threw. */
export const GRPC_SERVER_ERRORS: ReadonlySet<number> = new Set([UNKNOWN, INTERNAL, DATA_LOSS]);

/** The status of a `ServiceError` of @grpc/grpc-js; undefined: the error is not one. A DOMException has a numeric code as well. */
export function grpcStatusOf(error: Error): number | undefined {
  const { code, details } = error as { code?: unknown; details?: unknown };
  if (typeof code !== 'number' || !Number.isInteger(code) || code < 0 || code > HIGHEST) return undefined;
  return typeof details === 'string' || /^\d+ [A-Z_]+\b/.test(error.message) ? code : undefined;
}

/** The deadline of the call has passed. */
export function isGrpcDeadline(error: unknown): boolean {
  return isError(error) && grpcStatusOf(error) === DEADLINE_EXCEEDED;
}

/**
 * The client never had a connection, so nothing was sent. By its own texts only, and without metadata of a server: the details of a
 * status come from the server otherwise, which may pass on those of an error of its own.
 */
export function isGrpcNotConnected(error: Error): boolean {
  return isOwn(error, UNAVAILABLE, /^(No connection established|Name resolution failed)/);
}

/** The response is larger than the client itself allows (`grpc.max_receive_message_length`), which says nothing of the instance. */
export function isGrpcResponseTooLarge(error: Error): boolean {
  return isOwn(error, RESOURCE_EXHAUSTED, /^Received message (larger than max|that decompresses)/);
}

/** Of this client, and of no server: with a text of its own, and without metadata. */
function isOwn(error: Error, status: number, text: RegExp): boolean {
  if (grpcStatusOf(error) !== status) return false;
  const { details, metadata } = error as {
    details?: unknown;
    metadata?: { getMap?: () => Record<string, unknown> };
  };
  const received = metadata?.getMap?.();
  return text.test(String(details)) && received !== undefined && Object.keys(received).length === 0;
}
