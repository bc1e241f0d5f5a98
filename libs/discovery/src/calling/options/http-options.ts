import { z } from 'zod';
import { toMilliseconds, type Duration } from '../../configuration/duration.js';
import { connectionSettings, type ConnectionOptions, type ConnectionSettings } from './connection-options.js';
import { durationSchema, integer, type OptionShape } from '../../configuration/validate-options.js';

/** How an HTTP client makes its requests and reads responses. Each option can be set where those of `CallDefaults` can be. */
export interface HttpDefaults {
  /**
   * The most bytes of a response that is buffered, decompressed; a larger one fails with `ERR_BAD_RESPONSE`. -1: no limit. axios's own
   * `maxContentLength` in the config of a request takes precedence. Default: 67108864 (64 MiB).
   */
  maxContentLength?: number;
  /** How long a response with `responseType: 'stream'` may be without data, while it is read. 0: no limit. Default: `'60s'`. */
  streamIdleTimeout?: Duration;
  /**
   * Puts `meta.contextPath` of the instance before the path, as apps of Rookery and of Spring publish it. Default: false.
   */
  contextPath?: boolean;
  /**
   * Where a redirect may lead: `instance`, to the same instance only, so that no service decides where else this app sends requests; `any`, anywhere,
   * without credentials. A refused one fails with `ERR_REDIRECT_REFUSED`. Default: `instance`.
   */
  redirects?: 'instance' | 'any';
}

/** `HttpDefaults`, complete and in milliseconds. */
export interface HttpSettings {
  /** Infinity: no limit. */
  readonly maxContentLength: number;
  /** Infinity: no limit. */
  readonly streamIdleMs: number;
  readonly contextPath: boolean;
  readonly redirects: 'instance' | 'any';
  readonly connection: ConnectionSettings;
}

const DEFAULTS: Omit<HttpSettings, 'connection'> = {
  maxContentLength: 64 * 1024 * 1024,
  streamIdleMs: 60_000,
  contextPath: false,
  redirects: 'instance',
};

/** One entry for each key of `HttpDefaults`. */
export const httpDefaultsShape = {
  maxContentLength: integer(
    -1,
    Number.MAX_SAFE_INTEGER,
    'it is a number of bytes, or -1 for no limit',
  ).optional(),
  streamIdleTimeout: durationSchema(0).optional(),
  contextPath: z.boolean({ error: 'must be true or false' }).optional(),
  redirects: z.enum(['instance', 'any'], { error: "must be 'instance' or 'any'" }).optional(),
} satisfies OptionShape<HttpDefaults>;

/** Those of a service. */
export function serviceHttpSettings(options: HttpDefaults & ConnectionOptions): HttpSettings {
  return httpSettings(options, { ...DEFAULTS, connection: connectionSettings(options) });
}

/** Those of a client or a request, over those of the service. */
export function httpSettings(options: HttpDefaults, defaults: HttpSettings): HttpSettings {
  const { maxContentLength, streamIdleTimeout, contextPath, redirects } = options;
  const given: readonly unknown[] = [maxContentLength, streamIdleTimeout, contextPath, redirects];
  if (given.every((each) => each === undefined)) return defaults;
  return {
    maxContentLength: unlimited(maxContentLength, -1) ?? defaults.maxContentLength,
    streamIdleMs:
      streamIdleTimeout === undefined
        ? defaults.streamIdleMs
        : (unlimited(toMilliseconds(streamIdleTimeout, 'call.streamIdleTimeout'), 0) ?? Infinity),
    contextPath: contextPath ?? defaults.contextPath,
    redirects: redirects ?? defaults.redirects,
    connection: defaults.connection,
  };
}

function unlimited(value: number | undefined, noLimit: number): number | undefined {
  return value === noLimit ? Infinity : value;
}
