import { isNativeError } from 'node:util/types';

/** Also true for errors of another realm (a worker, a vm context, Node's core under Jest), which `instanceof` misses. */
export function isError(value: unknown): value is Error {
  if (value instanceof Error || isNativeError(value)) return true;
  // A DOMException, which is what a signal aborts with, passes neither check in another realm.
  const { name, message } = (value ?? {}) as Partial<Error>;
  return typeof name === 'string' && typeof message === 'string';
}

/** The errors of an AggregateError: Node dials all addresses of a name and reports the failures together. */
export function aggregatedErrors(error: Error): readonly unknown[] {
  const { errors } = error as Partial<AggregateError>;
  return Array.isArray(errors) ? errors : [];
}

/** The message of anything thrown, for one line of a log. */
export function errorMessage(error: unknown): string {
  if (!isError(error)) return String(error);
  if (error.message) return error.message;
  const [first] = aggregatedErrors(error);
  return first === undefined ? ((error as NodeJS.ErrnoException).code ?? error.name) : errorMessage(first);
}

const MAX_DEPTH = 10;

/** The error, its cause, the cause of that, and so on; bounded, because some errors are their own cause. */
export function* causeChain(error: unknown): Generator<Error> {
  let current = error;
  for (let depth = 0; depth < MAX_DEPTH && isError(current); depth++, current = current.cause) yield current;
}
