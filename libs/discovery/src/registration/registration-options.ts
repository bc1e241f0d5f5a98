import { isIP } from 'node:net';
import { z } from 'zod';
import { durationSchema, text, wholeNumber } from '../configuration/validate-options.js';
import type { Duration } from '../configuration/duration.js';

/** The service that this app is. */
export interface ServiceOptions {
  /** The name others find it by. Best kept to letters, digits and dashes, so that DNS can carry it. */
  name: string;
  /** Default: `<name>-<host name>-<port>`, the same after a restart. */
  id?: string;
  /** Default: the port the app really listens on, also after `listen(0)`. */
  port?: number;
  /**
   * Where others reach it. Default: the address the app is bound to, if it is a single one; else the address of the
   * agent's node when the agent is on this host; else that of the interface that routes to the agent.
   */
  address?: string;
  /** The instance speaks TLS. Default: whether the app's own server does. */
  secure?: boolean;
  tags?: readonly string[];
  /** At most 63 entries; numbers and booleans are written as text. */
  meta?: Readonly<Record<string, string | number | boolean>>;
  /** Share of traffic while *passing* and while *warning*, 1 to 65535 each (warning also 0). Default: 1 and 1. */
  weights?: { passing: number; warning?: number };
  /** Default: one HTTP check of the health path every 10 s. */
  check?: CheckOptions | readonly CheckOptions[];
}

export type CheckOptions = HttpCheckOptions | TcpCheckOptions;

interface PolledCheckOptions {
  /** How often the registry's agent looks; at least 1 s. Always to be given: without it a check never runs. */
  interval: Duration;
  /** Default: `'5s'`. */
  timeout?: Duration;
  /** Drop the instance after so long in state *critical*; at least 1 m. Default: `'10m'`. */
  deregisterCriticalServiceAfter?: Duration;
}

export interface HttpCheckOptions extends PolledCheckOptions {
  type: 'http' | 'https';
  /** Path on this app. Default: the health path. */
  path?: string;
  /** Default: `GET`. */
  method?: string;
  headers?: Readonly<Record<string, string>>;
  /** Do not verify the certificate. Default: false. */
  tlsSkipVerify?: boolean;
}

export interface TcpCheckOptions extends PolledCheckOptions {
  type: 'tcp';
  /** Default: the service's port. */
  port?: number;
}

const port = wholeNumber(1, 65_535, 'leave it out to use the port the app listens on');
const polled = {
  interval: durationSchema(1_000),
  timeout: durationSchema(1).optional(),
  deregisterCriticalServiceAfter: durationSchema(60_000, 30 * 24 * 3_600_000).optional(),
};
const check = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      type: z.enum(['http', 'https']),
      path: z
        .string()
        .regex(/^\/\S*$/, { error: "must be a path that begins with '/', such as '/health'" })
        .optional(),
      method: z
        .string()
        .regex(/^[A-Z]+$/, { error: "must be an HTTP method such as 'GET'" })
        .optional(),
      headers: z
        .record(z.string(), z.string({ error: 'must be text; write several values with commas' }), {
          error: "must be an object of texts, such as { 'X-Probe': 'consul' }",
        })
        .optional(),
      tlsSkipVerify: z.boolean({ error: 'must be true or false' }).optional(),
      ...polled,
    }),
    z.strictObject({ type: z.literal('tcp'), port: port.optional(), ...polled }),
  ],
  { error: "must be a check such as { type: 'http', interval: '10s' }; types: http, https, tcp" },
);

const MOST_META = 63; // Consul takes 64; one is kept to mark an instance that speaks TLS
const LONGEST_META_KEY = 128;
const LONGEST_META_VALUE = 512; // bytes
const metaKey = z.string().superRefine((key, context) => {
  const wrong = metaKeyMistake(key);
  if (wrong) context.addIssue({ code: 'custom', message: wrong });
});
const metaValue = z
  .union([z.string(), z.number(), z.boolean()], { error: 'must be text, a number, or true or false' })
  .refine((value) => Buffer.byteLength(String(value)) <= LONGEST_META_VALUE, {
    error: `must be at most ${LONGEST_META_VALUE} bytes long`,
  });

/** The registry puts it into paths, which it would clean. */
function inPath(schema: z.ZodString): z.ZodString {
  return schema.refine((value) => value !== '.' && value !== '..', { error: 'must not be "." or ".."' });
}

export const serviceOptionsSchema = z.strictObject(
  {
    name: inPath(text("must be the service's name, such as 'inventory'")),
    id: inPath(text('must not be empty; leave it out for <name>-<host>-<port>')).optional(),
    port: port.optional(),
    address: text('must be a host name or an IP address; leave it out to have it found')
      .refine((value) => !/^(0\.0\.0\.0|\[?::\]?)$/.test(value), {
        error: 'is no address that others can reach; give the one they use, or leave it out to have it found',
      })
      .refine((value) => isIP(value) === 6 || !/[\s/:[\]]/.test(value), {
        error: 'must be a host name or an IP address, without http://, brackets and port',
      })
      .optional(),
    secure: z.boolean({ error: 'must be true or false' }).optional(),
    tags: z
      .array(z.string({ error: 'must be text' }), { error: "must be an array of texts, such as ['v1']" })
      .optional(),
    meta: z
      .record(metaKey, metaValue, { error: "must be an object, such as { version: '1.2.0' }" })
      .refine((meta) => Object.keys(meta).length <= MOST_META, {
        error: `must have at most ${MOST_META} entries`,
      })
      .optional(),
    weights: z
      .strictObject(
        {
          passing: wholeNumber(1, 65_535, 'it is the share of traffic while passing'),
          warning: wholeNumber(0, 65_535, 'it is the share of traffic while warning').optional(),
        },
        { error: 'must be an object such as { passing: 10, warning: 1 }' },
      )
      .optional(),
    check: z.union([check, z.array(check).min(1, { error: 'must have at least one check' })]).optional(),
  },
  { error: "must be an object such as { name: 'inventory' }" },
);

function metaKeyMistake(key: string): string | undefined {
  if (key === '') return 'a key must not be empty';
  if (key.length > LONGEST_META_KEY) return `a key must be at most ${LONGEST_META_KEY} characters long`;
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return 'a key may have letters, digits, - and _ only';
  if (key === 'secure') return "is Rookery's own; set service.secure instead";
  if (key.startsWith('consul-')) return 'keys that begin with "consul-" are reserved by Consul; rename it';
  return undefined;
}
