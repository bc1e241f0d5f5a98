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

/** The connection failed, so that nothing was sent: grpc-js says so in its details only. */
export function isGrpcNotConnected(error: Error): boolean {
  return (
    grpcStatusOf(error) === UNAVAILABLE &&
    /ECONNREFUSED|No connection established|Failed to connect|Name resolution failed/.test(error.message)
  );
}
