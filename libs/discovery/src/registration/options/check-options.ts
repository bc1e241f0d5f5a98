import { z } from 'zod';
import type { Duration } from '../../configuration/duration.js';
import {
  durationSchema,
  integer,
  nonEmptyString,
  type OptionShape,
} from '../../configuration/validate-options.js';

export type CheckOptions =
  | HttpCheckOptions
  | TcpCheckOptions
  | GrpcCheckOptions
  | TtlCheckOptions
  | ScriptCheckOptions
  | AliasCheckOptions;

interface CommonCheckOptions {
  /** Distinguishes it from the service's other checks; it is prefixed with the instance's id. Default: its type. */
  id?: string;
  /** For humans. Default: its type and target. */
  name?: string;
  /** For humans. Default: what it does, and how often. */
  notes?: string;
  /** Its initial status. Default: `passing`, or `warning` while the app is degraded, since its own readiness check has passed. */
  status?: 'passing' | 'warning' | 'critical';
  /** Consecutive successes until it is *passing* again. Default: the agent's, 1. */
  successBeforePassing?: number;
  /** Consecutive failures until it is *critical*. Default: the agent's, 1. */
  failuresBeforeCritical?: number;
  /** The registry removes an instance that has been *critical* for this time; at least 1 m. Default: `'10m'`. */
  deregisterCriticalServiceAfter?: Duration;
}

interface PolledCheckOptions extends CommonCheckOptions {
  /** How often the registry's agent runs it; at least 1 s. Required: without it a check never runs. */
  interval: Duration;
  /** Default: `'5s'`. */
  timeout?: Duration;
}

/** The agent requests a URL of the app: 2xx is *passing*, 429 *warning*, anything else *critical*. */
export interface HttpCheckOptions extends PolledCheckOptions {
  type: 'http' | 'https';
  /** Path on this app. Default: the health path, `/health`. */
  path?: string;
  /** An absolute URL instead of a path on this app. */
  url?: string;
  /** Default: `GET`. */
  method?: string;
  /** Of the request. Default: none. */
  headers?: Readonly<Record<string, string>>;
  /** Of the request. Default: none. */
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
  /** The gRPC service to check. Default: the server as a whole. */
  service?: string;
  /** Default: false. */
  useTls?: boolean;
  /** Do not verify the certificate. Default: false. */
  tlsSkipVerify?: boolean;
}

/** The app reports its own readiness, three times in every TTL. */
export interface TtlCheckOptions extends CommonCheckOptions {
  type: 'ttl';
  /** The check is critical after this time without a report; at least 3 s. Default: `'36s'`. */
  ttl?: Duration;
  /**
   * `worker-thread`: reports come from a worker thread, so that a blocked event loop is reported as *warning*, with how
   * long it has been blocked, and the check does not expire. Default: `main-thread`.
   */
  heartbeat?: 'main-thread' | 'worker-thread';
  /** How long a worker thread reports a blocked event loop, before it lets the check expire. Default: `'60s'`. */
  maxStall?: Duration;
}

/** The agent runs a program, which it has to allow (`enable_script_checks`). */
export interface ScriptCheckOptions extends PolledCheckOptions {
  type: 'script';
  /** The program and its arguments. */
  args: readonly string[];
}

/** Has the health of another instance of the same agent, or of a whole node. */
export interface AliasCheckOptions extends CommonCheckOptions {
  type: 'alias';
  /** Id of the other instance. */
  aliasService?: string;
  /** Name of a node, whose own checks count. */
  aliasNode?: string;
}

/** Without half of a surrogate pair, which UTF-8 would store as another character. */
export function wellFormed(schema: z.ZodString): z.ZodString {
  return schema.refine((value) => !/\p{Surrogate}/u.test(value), {
    error: 'must be well-formed Unicode; it contains half of a surrogate pair',
  });
}

const RESERVED_PATHS = /^(register$|deregister\/|maintenance\/|deregister$|maintenance$)/;

/** For values that become a part of Consul's URL paths, which are normalized and have reserved words. */
export function inPath(schema: z.ZodString): z.ZodString {
  return wellFormed(schema)
    .refine(
      (value) =>
        value === '' || value.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
      {
        error: 'must not be ".", ".." or empty, nor contain such a segment between slashes',
      },
    )
    .refine((value) => !/\p{Cc}/u.test(value), { error: 'must not contain control characters' })
    .refine((value) => !RESERVED_PATHS.test(value), {
      error: "must not be a reserved word of Consul's paths",
    });
}

/** The id of a check within its service. */
export function checkIdOf(
  { id, type }: Pick<CheckOptions, 'id' | 'type'>,
  index: number,
  count: number,
): string {
  return id ?? (count === 1 ? type : `${type}-${index + 1}`);
}

const port = integer(1, 65_535, "leave it out for the service's port");
const bool = z.boolean({ error: 'must be true or false' }).optional();
const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s/:[\]]+):\d{1,5}$/, { error: "must be 'host:port', without http://" })
  // Without digits the pattern has said so.
  .refine((value) => !(Number(/\d+$/.exec(value)?.[0]) > 65_535), {
    error: 'must have a port of at most 65535',
  })
  .optional();
const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: 'is not a header name (RFC 9110, 5.1)' });
const commonShape = {
  id: inPath(nonEmptyString("must not be empty; leave it out for the check's type")).optional(),
  name: nonEmptyString('must not be empty; leave it out for a name').optional(),
  notes: z.string({ error: 'must be a string' }).optional(),
  status: z
    .enum(['passing', 'warning', 'critical'], { error: "must be 'passing', 'warning' or 'critical'" })
    .optional(),
  successBeforePassing: integer(0, 1_000).optional(),
  failuresBeforeCritical: integer(0, 1_000).optional(),
  deregisterCriticalServiceAfter: durationSchema(60_000, 30 * 24 * 3_600_000).optional(),
} satisfies OptionShape<CommonCheckOptions>;
const polledShape = {
  ...commonShape,
  interval: durationSchema(1_000),
  timeout: durationSchema(1).optional(),
} satisfies OptionShape<PolledCheckOptions>;

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
      .record(headerName, z.string({ error: 'must be a string; write several values with commas' }), {
        error: "must be an object of strings, such as { 'X-Probe': 'consul' }",
      })
      .optional(),
    body: z.string({ error: 'must be a string' }).optional(),
    tlsSkipVerify: bool,
    ...polledShape,
  } satisfies OptionShape<HttpCheckOptions>)
  .refine(({ path, url }) => path === undefined || url === undefined, {
    error: 'cannot be combined with path; use one of them',
    path: ['url'],
  });
const tcp = z.strictObject({
  type: z.literal('tcp'),
  port: port.optional(),
  address,
  ...polledShape,
} satisfies OptionShape<TcpCheckOptions>);
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
  ...polledShape,
} satisfies OptionShape<GrpcCheckOptions>);
const ttl = z.strictObject({
  type: z.literal('ttl'),
  ttl: durationSchema(3_000).optional(),
  heartbeat: z
    .enum(['main-thread', 'worker-thread'], { error: "must be 'main-thread' or 'worker-thread'" })
    .optional(),
  maxStall: durationSchema(1_000).optional(),
  ...commonShape,
} satisfies OptionShape<TtlCheckOptions>);
const script = z.strictObject({
  type: z.literal('script'),
  args: z
    .array(z.string({ error: 'must be a string' }), {
      error: "must be a program and its arguments, ['/bin/check', '-x']",
    })
    .min(1, { error: 'must name a program' }),
  ...polledShape,
} satisfies OptionShape<ScriptCheckOptions>);
const alias = z
  .strictObject({
    type: z.literal('alias'),
    aliasService: nonEmptyString('must be the id of another instance').optional(),
    aliasNode: nonEmptyString('must be the name of a node').optional(),
    ...commonShape,
  } satisfies OptionShape<AliasCheckOptions>)
  .refine(({ aliasService, aliasNode }) => aliasService !== undefined || aliasNode !== undefined, {
    error: 'is missing; set aliasService or aliasNode',
    path: ['aliasService'],
  });

export const checkOptionsSchema = z.discriminatedUnion('type', [http, tcp, grpc, ttl, script, alias], {
  error:
    "must be a check such as { type: 'http', interval: '10s' }; types: http, https, tcp, grpc, ttl, script, alias",
});
