import { Readable } from 'node:stream';
import type { InternalAxiosRequestConfig } from 'axios';
import { tooLargeError } from './response-limits.js';

/**
 * As axios does for a stream with a limit of its own. Unlike there, a response that is dropped before anything of it was read ends as well: it would keep its
 * connection.
 *
 * @param limit in bytes; Infinity: none
 */
export function limited(stream: Readable, limit: number, config: InternalAxiosRequestConfig): Readable {
  if (limit === Infinity) return stream;
  const read = async function* (): AsyncGenerator<Buffer> {
    let size = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw tooLargeError(limit, config);
      yield chunk;
    }
  };
  return Readable.from(read(), { objectMode: false }).once('close', () => stream.destroy());
}
