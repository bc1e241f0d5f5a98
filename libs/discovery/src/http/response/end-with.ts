import type { Readable } from 'node:stream';
import { CanceledError, type InternalAxiosRequestConfig } from 'axios';
import type { CancelSignal } from '../../timing/clock.js';
import { cancellationOf } from '../cancellation.js';

/**
 * A response stream outlives the call: what cancels the request ends the stream as well.
 *
 * @param departure of the client of the incoming request
 */
export function endWithRequest(
  body: Readable,
  config: InternalAxiosRequestConfig,
  departure: CancelSignal | undefined,
): void {
  const own = cancellationOf(config);
  const onAbort = (): void => void body.destroy(new CanceledError(undefined, config));
  for (const signal of [own.signal, departure]) signal?.addEventListener('abort', onAbort);
  body.once('close', () => {
    for (const signal of [own.signal, departure]) signal?.removeEventListener('abort', onAbort);
    own.release();
  });
}
