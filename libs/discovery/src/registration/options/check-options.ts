import { z } from 'zod';
import type { Duration } from '../../configuration/duration.js';
import { durationSchema, text, wholeNumber } from '../../configuration/validate-options.js';

export type CheckOptions =
  | HttpCheckOptions
  | TcpCheckOptions
  | GrpcCheckOptions
  | TtlCheckOptions
  | ScriptCheckOptions
  | AliasCheckOptions;

interface AnyCheckOptions {
  /** What tells it from the service's other checks; the instance's id is put before it. Default: its type. */
  id?: string;
  /** For people. Default: what it looks at. */
  name?: string;
  /** For people. Default: how it looks and how often. */
  notes?: string;
  /** The state in which it starts. Default: `passing`, since the app's own readiness check has run. */
  status?: 'passing' | 'warning' | 'critical';
  /** Good results in a row until it is *passing* again. Default: 1 of the agent. */
  successBeforePassing?: number;
  /** Bad results in a row until it is *critical*. Default: 1 of the agent. */
  failuresBeforeCritical?: number;
  /** Drop the instance after so long in state *critical*; at least 1 m. Default: `'10m'`. */
  deregisterCriticalServiceAfter?: Duration;
}

interface PolledCheckOptions extends AnyCheckOptions {
  /** How often the registry's agent looks; at least 1 s. Always to be given: without it a check never runs. */
  interval: Duration;
  /** Default: `'5s'`. */
  timeout?: Duration;
}

/** The agent asks a URL of the app: 2xx is *passing*, 429 *warning*, anything else *critical*. */
export interface HttpCheckOptions extends PolledCheckOptions {
  type: 'http' | 'https';
  /** Path on this app. Default: the health path, `/health`. */
  path?: string;
  /** A whole URL instead of a path on this app. */
  url?: string;
  /** Default: `GET`. */
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** Do not verify the certificate. Default: false. */
  tlsSkipVerify?: boolean;
}

/** The agent opens a connection. */
export interface TcpCheckOptions extends PolledCheckOptions {
  type: 'tcp';
  /** Default: the service's port. */
  port?: number;
  /** `host:port` instead of a port on this app. */
  address?: string;
}

/** The agent calls the standard gRPC health service. */
export interface GrpcCheckOptions extends PolledCheckOptions {
  type: 'grpc';
  /** Default: the service's port. */
  port?: number;
  /** `host:port` instead of a port on this app. */
  address?: string;
  /** The gRPC service to ask for. Default: the server as a whole. */
  service?: string;
  /** Default: false. */
  useTls?: boolean;
  /** Do not verify the certificate. Default: false. */
  tlsSkipVerify?: boolean;
}

/** The app reports its own readiness, three times in every TTL. */
export interface TtlCheckOptions extends AnyCheckOptions {
  type: 'ttl';
  /** Critical after so long without a report; at least 3 s. Default: `'36s'`. */
  ttl?: Duration;
  /**
   * `worker`: from a thread of its own, so that a blocked event loop is reported as *warning*, with how long it has
   * been blocked, and does not cost the instance its registration. Default: `thread`, the app's own.
   */
  heartbeat?: 'thread' | 'worker';
  /** How long a worker vouches for an event loop that stands still. Default: `'60s'`. */
  vouchFor?: Duration;
}

/** The agent runs a program; it has to allow that (`enable_script_checks`). */
export interface ScriptCheckOptions extends PolledCheckOptions {
  type: 'script';
  /** The program and its arguments. */
  args: readonly string[];
}

/** As healthy as another instance of the same agent, or as a whole node. */
export interface AliasCheckOptions extends AnyCheckOptions {
  type: 'alias';
  /** Id of the other instance. */
  aliasService?: string;
  aliasNode?: string;
}

/** Half of a surrogate pair: whoever stores it as UTF-8 gives back another character. */
export function wellFormed(schema: z.ZodString): z.ZodString {
  return schema.refine((value) => !/\p{Surrogate}/u.test(value), {
    error: 'must be well-formed text; a character of it was cut in half',
  });
}

const OWN_PATHS = /^(register$|deregister\/|maintenance\/|deregister$|maintenance$)/;

/** The registry puts it into paths, which it cleans, and in which it has words of its own. */
export function inPath(schema: z.ZodString): z.ZodString {
  return wellFormed(schema)
    .refine(
      (value) =>
        value === '' || value.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
      {
        error: 'must not be ".", ".." or empty, nor have such a part between slashes',
      },
    )
    .refine((value) => !/\p{Cc}/u.test(value), { error: 'must not have control characters' })
    .refine((value) => !OWN_PATHS.test(value), { error: "must not be a word of Consul's own paths" });
}

/** What tells one check of a service from the others. */
export function checkIdOf(
  { id, type }: Pick<CheckOptions, 'id' | 'type'>,
  at: number,
  count: number,
): string {
  return id ?? (count === 1 ? type : `${type}-${at + 1}`);
}

const port = wholeNumber(1, 65_535, "leave it out for the service's port");
const bool = z.boolean({ error: 'must be true or false' }).optional();
const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s/:[\]]+):\d{1,5}$/, { error: "must be 'host:port', without http://" })
  .refine((value) => Number(/\d+$/.exec(value)?.[0]) <= 65_535, {
    error: 'must have a port of at most 65535',
  })
  .optional();
const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: 'is no name of a header (RFC 9110, 5.1)' });
const any = {
  id: inPath(text("must not be empty; leave it out for the check's type")).optional(),
  name: text('must not be empty; leave it out for a name').optional(),
  notes: z.string({ error: 'must be text' }).optional(),
  status: z
    .enum(['passing', 'warning', 'critical'], { error: "must be 'passing', 'warning' or 'critical'" })
    .optional(),
  successBeforePassing: wholeNumber(0, 1_000).optional(),
  failuresBeforeCritical: wholeNumber(0, 1_000).optional(),
  deregisterCriticalServiceAfter: durationSchema(60_000, 30 * 24 * 3_600_000).optional(),
};
const polled = { ...any, interval: durationSchema(1_000), timeout: durationSchema(1).optional() };

const http = z
  .strictObject({
    type: z.enum(['http', 'https']),
    path: z
      .string()
      .regex(/^\/\S*$/, { error: "must be a path that begins with '/', such as '/health'" })
      .optional(),
    url: z
      .url({ protocol: /^https?$/, error: "must be a URL such as 'http://127.0.0.1:8080/health'" })
      .optional(),
    method: z
      .string()
      .regex(/^[A-Z]+$/, { error: "must be an HTTP method such as 'GET'" })
      .optional(),
    headers: z
      .record(headerName, z.string({ error: 'must be text; write several values with commas' }), {
        error: "must be an object of texts, such as { 'X-Probe': 'consul' }",
      })
      .optional(),
    body: z.string({ error: 'must be text' }).optional(),
    tlsSkipVerify: bool,
    ...polled,
  })
  .refine(({ path, url }) => path === undefined || url === undefined, {
    error: 'is given beside path; give one of them',
    path: ['url'],
  });
const tcp = z.strictObject({ type: z.literal('tcp'), port: port.optional(), address, ...polled });
const grpc = z.strictObject({
  type: z.literal('grpc'),
  port: port.optional(),
  address,
  service: z
    .string()
    .regex(/^[\w.]+$/, { error: "must be the name of a gRPC service, such as 'shop.Inventory'" })
    .optional(),
  useTls: bool,
  tlsSkipVerify: bool,
  ...polled,
});
const ttl = z.strictObject({
  type: z.literal('ttl'),
  ttl: durationSchema(3_000).optional(),
  heartbeat: z.enum(['thread', 'worker'], { error: "must be 'thread' or 'worker'" }).optional(),
  vouchFor: durationSchema(1_000).optional(),
  ...any,
});
const script = z.strictObject({
  type: z.literal('script'),
  args: z
    .array(z.string({ error: 'must be text' }), {
      error: "must be a program and its arguments, ['/bin/check', '-x']",
    })
    .min(1, { error: 'must name a program' }),
  ...polled,
});
const alias = z
  .strictObject({
    type: z.literal('alias'),
    aliasService: text('must be the id of another instance').optional(),
    aliasNode: text('must be the name of a node').optional(),
    ...any,
  })
  .refine(({ aliasService, aliasNode }) => aliasService !== undefined || aliasNode !== undefined, {
    error: 'is missing; say whose health it is, by aliasService or aliasNode',
    path: ['aliasService'],
  });

export const checkOptionsSchema = z.discriminatedUnion('type', [http, tcp, grpc, ttl, script, alias], {
  error:
    "must be a check such as { type: 'http', interval: '10s' }; types: http, https, tcp, grpc, ttl, script, alias",
});
