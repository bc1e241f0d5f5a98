import { isIP } from 'node:net';
import { z } from 'zod';
import type { Duration } from '../../configuration/duration.js';
import {
  durationSchema,
  integer,
  nonEmptyString,
  type OptionShape,
} from '../../configuration/validate-options.js';
import { checkIdOf, checkOptionsSchema, inPath, wellFormed, type CheckOptions } from './check-options.js';
import { parseNetwork } from '../location/network.js';

/** A service that this app registers. */
export interface ServiceOptions {
  /** The name under which others find it. Letters, digits and dashes only are also valid in DNS. */
  name: string;
  /** Default: `<name>-<host name>-<port>`, the same after a restart. */
  id?: string;
  /**
   * Which of the app's servers it is: the HTTP server, or a microservice. Default: `http` where the app has an HTTP
   * server, else its first microservice.
   */
  transport?: 'http' | 'tcp' | 'grpc';
  /** Default: the port the app listens on, also after `listen(0)`. Required for a gRPC server without a port in its URL. */
  port?: number;
  /**
   * Where others reach it. Default: `ROOKERY_ADDRESS`; else the address the app is bound to, if it is a single one; else
   * one within `preferredNetworks`; else the address of the agent's node when the agent is on this host; else that of
   * the interface that routes to the agent.
   */
  address?: string;
  /** Networks to select the address from, best first, such as `['10.0.0.0/8', 'fd00::/8']`. Default: none. */
  preferredNetworks?: readonly string[];
  /** Other addresses by name, such as `{ wan: { address: '203.0.113.7', port: 443 } }`; without a port: the service's. */
  taggedAddresses?: Readonly<Record<string, TaggedAddressOptions>>;
  /** The instance speaks TLS. Default: whether the app's own server does. */
  secure?: boolean;
  /** What callers can select by, beside `meta`. Default: none. */
  tags?: readonly string[];
  /** Other clients of the registry may change the tags, and the app does not undo it. Default: false. */
  enableTagOverride?: boolean;
  /** At most 60 entries; numbers and booleans are converted to strings. Default: none. */
  meta?: Readonly<Record<string, string | number | boolean>>;
  /** Where it runs, for callers that prefer what is near; in `meta.zone`. Default: `ROOKERY_ZONE`, else that of the agent's node. */
  zone?: string;
  /** Share of traffic while *passing* and while *warning*, 1 to 65535 each (warning also 0). Default: 1 and 1. */
  weights?: WeightOptions;
  /** Default: one HTTP check of the health path every 10 s; a TTL check for a microservice. */
  check?: CheckOptions | readonly CheckOptions[];
  /** When it is registered: as soon as the app listens and is ready, or when `RegistrationService.register()` is called. Default: `automatic`. */
  register?: 'automatic' | 'manual';
  /** How long to wait after the app listens, for caches to fill. Default: `0`. */
  registrationDelay?: Duration;
}

/** Another address of a service, for those who cannot use the first. */
export interface TaggedAddressOptions {
  address: string;
  /** Default: that of the service. */
  port?: number;
}

/** The share of traffic of an instance, in proportion to that of the others. */
export interface WeightOptions {
  passing: number;
  /** Default: 1. */
  warning?: number;
}

const MAX_META = 60; // Consul accepts 64; four are ours: for TLS, the zone, the readiness path and the context path
const MAX_META_KEY = 128;
const MAX_META_VALUE = 512; // bytes
const port = integer(1, 65_535, 'leave it out to use the port the app listens on');
const metaKey = z.string().superRefine((key, context) => {
  const issue = metaKeyIssue(key);
  if (issue) context.addIssue({ code: 'custom', message: issue });
});
const metaValue = z
  .union([wellFormed(z.string()), z.number(), z.boolean()], {
    error: 'must be a string, a number, true or false',
  })
  .refine((value) => Buffer.byteLength(String(value)) <= MAX_META_VALUE, {
    error: `must be at most ${MAX_META_VALUE} bytes long`,
  });
export const addressSchema = nonEmptyString('must be a host name or an IP address; leave it out to detect it')
  .refine((value) => !isWildcardAddress(value), {
    error: 'is not an address that others can reach; set the one they use, or leave it out to detect it',
  })
  .refine((value) => isIP(value) === 6 || !/[\s/:[\]]/.test(value), {
    error: 'must be a host name or an IP address, without http://, brackets or port',
  });

const service = z.strictObject(
  {
    name: inPath(nonEmptyString("must be the service's name, such as 'inventory'")),
    id: inPath(nonEmptyString('must not be empty; leave it out for <name>-<host>-<port>')).optional(),
    transport: z
      .enum(['http', 'tcp', 'grpc'], {
        error: "must be 'http', 'tcp' or 'grpc'; leave it out for the app's server",
      })
      .optional(),
    port: port.optional(),
    address: addressSchema.optional(),
    preferredNetworks: z
      .array(
        z
          .string({ error: "must be a network such as '10.0.0.0/8'" })
          .refine((value) => parseNetwork(value) !== undefined, {
            error: "must be a network such as '10.0.0.0/8' or 'fd00::/8'",
          }),
        { error: "must be an array of networks, such as ['10.0.0.0/8']" },
      )
      .optional(),
    taggedAddresses: z
      .record(
        nonEmptyString('a name must not be empty'),
        z.strictObject(
          { address: addressSchema, port: port.optional() },
          { error: "must be an object such as { address: '203.0.113.7', port: 443 }" },
        ),
        { error: "must be an object such as { wan: { address: '203.0.113.7' } }" },
      )
      .optional(),
    secure: z.boolean({ error: 'must be true or false' }).optional(),
    tags: z
      .array(wellFormed(z.string({ error: 'must be a string' })), {
        error: "must be an array of strings, such as ['v1']",
      })
      .optional(),
    enableTagOverride: z.boolean({ error: 'must be true or false' }).optional(),
    meta: z
      .record(metaKey, metaValue, { error: "must be an object, such as { version: '1.2.0' }" })
      .refine((meta) => Object.keys(meta).length <= MAX_META, {
        error: `must have at most ${MAX_META} entries`,
      })
      .optional(),
    zone: nonEmptyString("must be a zone such as 'eu-1a'")
      .pipe(metaValue as unknown as z.ZodString)
      .optional(),
    weights: z
      .strictObject(
        {
          passing: integer(1, 65_535, 'it is the share of traffic while passing'),
          warning: integer(0, 65_535, 'it is the share of traffic while warning').optional(),
        },
        { error: 'must be an object such as { passing: 10, warning: 1 }' },
      )
      .optional(),
    check: z
      .union([
        checkOptionsSchema,
        z
          .array(checkOptionsSchema)
          .min(1, { error: 'must have at least one check' })
          .refine((checks) => haveDistinctCheckIds(checks as CheckOptions[]), {
            error: 'has two checks with the same id',
          }),
      ])
      .optional(),
    register: z.enum(['automatic', 'manual'], { error: "must be 'automatic' or 'manual'" }).optional(),
    registrationDelay: durationSchema(0).optional(),
  } satisfies OptionShape<ServiceOptions>,
  { error: "must be an object such as { name: 'inventory' }" },
);

export const serviceOptionsSchema = z.union(
  [
    service,
    z
      .array(service)
      .min(1, { error: 'must have at least one service; leave it out to discover only' })
      .refine(haveDistinctIds, {
        error: 'has two services with the same id: give each an id, a port or a transport of its own',
      }),
  ],
  { error: "must be an object such as { name: 'inventory' }, or an array of them" },
);

function haveDistinctCheckIds(checks: readonly CheckOptions[]): boolean {
  const ids = checks.map((check, index) => checkIdOf(check, index, checks.length));
  return new Set(ids).size === ids.length;
}

function haveDistinctIds(
  services: readonly Pick<z.infer<typeof service>, 'name' | 'id' | 'port' | 'transport'>[],
): boolean {
  const ids = services.map(
    ({ id, name, port: servicePort, transport = 'http' }) =>
      id ?? JSON.stringify([name, servicePort, transport]),
  );
  return new Set(ids).size === ids.length;
}

/** In every notation: `::`, `0::0`, `::ffff:0.0.0.0`. */
function isWildcardAddress(text: string): boolean {
  const bare = text.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 6) return bare === '0.0.0.0';
  return ['[::]', '[::ffff:0:0]'].includes(new URL(`http://[${bare}]`).hostname);
}

function metaKeyIssue(key: string): string | undefined {
  if (key === '') return 'a key must not be empty';
  if (key.length > MAX_META_KEY) return `a key must be at most ${MAX_META_KEY} characters long`;
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return 'a key may contain letters, digits, - and _ only';
  if (key === 'secure') return 'is reserved by Rookery; set service.secure instead';
  if (key.startsWith('consul-')) return 'keys that begin with "consul-" are reserved by Consul; rename it';
  return undefined;
}
