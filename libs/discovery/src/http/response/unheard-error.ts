import type { Readable } from 'node:stream';

/**
 * An error of a response that nobody listens for does not end the process, as with Node's own responses: a stream that is only piped, or not read yet, has
 * no listener. A reader that comes later still gets the error.
 */
export function tolerateUnheardError(stream: Readable): void {
  stream.on('error', () => undefined);
}
