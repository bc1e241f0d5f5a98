import type { Readable } from 'node:stream';
import type { InternalAxiosRequestConfig } from 'axios';
import type { HttpSettings } from '../../calling/options/http-options.js';
import type { CancelSignal } from '../../timing/clock.js';
import { endWithRequest } from './end-with.js';
import { destroyWhenIdle } from './idle-stream.js';
import { limited } from './limited-stream.js';
import { contentLimit, idleError } from './response-limits.js';
import { tolerateUnheardError } from './unheard-error.js';

export interface OpenStreamOptions {
  readonly config: InternalAxiosRequestConfig;
  readonly settings: HttpSettings;
  /** Of the client of the incoming request. */
  readonly departure: CancelSignal | undefined;
  /** Decodes the body. Default: it is read as it is. */
  readonly decode?: (body: Readable) => Readable;
}

/** Makes a stream for the caller of what a transport receives: it ends with its request, when it stalls, and at its limit. */
export function openStream(
  body: Readable,
  { config, settings, departure, decode = (plain) => plain }: OpenStreamOptions,
): Readable {
  endWithRequest(body, config, departure);
  destroyWhenIdle(body, settings.streamIdleMs, () => idleError(settings.streamIdleMs, config));
  const decoded = decode(body);
  const data = limited(decoded, contentLimit(config, settings), config);
  for (const stream of new Set([body, decoded, data])) tolerateUnheardError(stream);
  return data;
}
