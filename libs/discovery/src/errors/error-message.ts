import { isNativeError } from 'node:util/types';

/** Also true for errors of another realm (a worker, a vm context, Node's core under jest), which `instanceof` misses. */
export function isError(value: unknown): value is Error {
  if (value instanceof Error || isNativeError(value)) return true;
  // A DOMException, which is what a signal aborts with, is neither in another realm.
  const { name, message } = (value ?? {}) as Partial<Error>;
  return typeof name === 'string' && typeof message === 'string';
}

/** The errors of an AggregateError: Node's dialler tries all addresses of a name, and reports the failures together. */
export function errorsWithin(error: Error): readonly unknown[] {
  const { errors } = error as Partial<AggregateError>;
  return Array.isArray(errors) ? errors : [];
}

/** The short reason of anything thrown, for one line of a log. */
export function reasonOf(error: unknown): string {
  if (!isError(error)) return String(error);
  if (error.message) return error.message;
  const [first] = errorsWithin(error);
  return first === undefined ? ((error as NodeJS.ErrnoException).code ?? error.name) : reasonOf(first);
}

const DEEPEST = 10;

/** The error, its cause, the cause of that, and so on; some are their own cause. */
export function* chainOf(error: unknown): Generator<Error> {
  let at = error;
  for (let depth = 0; depth < DEEPEST && isError(at); depth++, at = at.cause) yield at;
}
