import { z } from 'zod';
import type { OptionShape } from '../configuration/validate-options.js';

/** What calls that are made for an incoming request take from it. */
export interface ContextOptions {
  /**
   * W3C `traceparent`, `tracestate` and `baggage`. Where OpenTelemetry's instrumentation of HTTP clients is present, it sends its own, and these
   * stay out. Default: true.
   */
  traceContext?: boolean;
  /**
   * The header with the id of the request, which is made here if the request has none; `false`: no id. Default: `'x-request-id'`.
   */
  requestId?: string | false;
  /** Further headers. Default: none. */
  headers?: readonly string[];
  /** Calls are cancelled when the client of the incoming request goes away, and so are response streams. Default: false. */
  cancelWithClient?: boolean;
}

export interface ContextSettings {
  readonly traceContext: boolean;
  readonly requestId: string | undefined;
  readonly headers: readonly string[];
  readonly cancelWithClient: boolean;
}

/** @returns undefined: nothing travels */
export function contextSettings(options: boolean | ContextOptions = false): ContextSettings | undefined {
  if (options === false) return undefined;
  const {
    traceContext = true,
    requestId = 'x-request-id',
    headers = [],
    cancelWithClient = false,
  } = options === true ? {} : options;
  const id = requestId === false ? undefined : requestId.toLowerCase();
  return {
    traceContext,
    requestId: id,
    headers: [...new Set(headers.map((name) => name.toLowerCase()))].filter((name) => name !== id),
    cancelWithClient,
  };
}

/** They describe the one message, or its connection, and are wrong on any other. */
const OF_THE_MESSAGE =
  /^(connection|content-.*|date|expect|host|keep-alive|proxy-.*|range|te|trailer|transfer-encoding|upgrade|if-.*|accept-encoding|rookery-.*)$/i;

const headerName = z
  .string({ error: "must be a header's name, such as 'x-tenant'" })
  .regex(/^[\w!#$%&'*+.^`|~-]+$/, { error: "must be a header's name, such as 'x-tenant'" })
  .refine((name) => !OF_THE_MESSAGE.test(name), {
    error: 'describes the incoming message or its connection, and cannot be a part of another one',
  });
const otherHeader = headerName.refine((name) => !/^(traceparent|tracestate|baggage)$/i.test(name), {
  error: 'is a header of the trace: use traceContext',
});
const flag = z.boolean({ error: 'must be true or false' });

export const contextOptionsSchema = z.union(
  [
    flag,
    z.strictObject({
      traceContext: flag.optional(),
      requestId: z
        .union([headerName, z.literal(false)], { error: "must be a header's name, or false" })
        .optional(),
      headers: z.array(otherHeader, { error: "must be an array such as ['x-tenant']" }).optional(),
      cancelWithClient: flag.optional(),
    } satisfies OptionShape<ContextOptions>),
  ],
  { error: "must be true, false, or an object such as { headers: ['x-tenant'] }" },
);
