import type { Readable } from 'node:stream';
import { CanceledError, type InternalAxiosRequestConfig } from 'axios';
import type { CancelSignal } from '../../timing/clock.js';

/** A response stream outlives the call: what cancels the request ends the stream as well. */
export function endWith(
  body: Readable,
  signal: Partial<CancelSignal> | undefined,
  config: InternalAxiosRequestConfig,
): void {
  if (!signal?.addEventListener) return;
  const onAbort = (): void => {
    // A stream that is not read yet has no listener, and that must not end the process.
    body.on('error', () => undefined);
    body.destroy(new CanceledError(undefined, config));
  };
  signal.addEventListener('abort', onAbort);
  body.once('close', () => {
    signal.removeEventListener?.('abort', onAbort);
  });
}
