import semver from 'semver';
import { z } from 'zod';
import { toMilliseconds, type Duration } from '../configuration/duration.js';
import {
  durationSchema,
  integer,
  nonEmptyString,
  type OptionShape,
  validateOptions,
} from '../configuration/validate-options.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { ServiceInstance } from './service-instance.js';

/** Selects instances of a service. A field that is left out does not narrow the selection. */
export interface ServiceQuery {
  /** Instances that carry all of these tags. */
  tags?: readonly string[];
  /** Instances whose meta has all of these entries. */
  meta?: Readonly<Record<string, string>>;
  /** Instances whose `meta.version` is in this semver range, such as `'^2.1'`; one without a version does not match. */
  version?: string;
  /** An expression in the registry's own language; in Consul a filter expression such as `Service.Meta.tier == "gold"`. */
  filter?: string;
  /** Default: the agent's own datacenter. */
  datacenter?: string;
  /** Other datacenters, best first, for when this one has too few instances. Default: none. */
  failover?: readonly string[] | FailoverOptions;
  /** Sort by network distance from this node; `_agent` is the agent that answers. For `getInstances` and `watch` only: calls stay near by zones. */
  near?: string;
  /** The name is that of a prepared query of Consul, which has no watch: it is executed every 10 s. Default: false. */
  preparedQuery?: boolean;
  /** Use instances in status *warning* as well; without it they are used only when none is passing. Default: false. */
  includeWarning?: boolean;
}

export interface FailoverOptions {
  /** Datacenters, best first. */
  to: readonly string[];
  /** Fewer usable instances than this are too few. Default: 1. */
  minInstances?: number;
  /** How long a better datacenter must have enough instances again before calls return to it. Default: `'10s'`. */
  failbackAfter?: Duration;
}

/** The part of a query that a source evaluates; the rest is filtered locally, so that such queries share one watch. */
export type SourceQuery = Pick<ServiceQuery, 'filter' | 'datacenter' | 'near' | 'preparedQuery'>;

const strings = z.array(nonEmptyString('must be a string that is not blank'), {
  error: "must be an array of strings, such as ['v1']",
});
const datacenters = z
  .array(nonEmptyString("must be a datacenter's name"), {
    error: "must be an array of datacenters, such as ['dc2']",
  })
  .min(1, { error: 'must name at least one datacenter' });

export const serviceQuerySchema = z.strictObject(
  {
    tags: strings.optional(),
    meta: z
      .record(z.string(), z.string({ error: 'must be a string' }), { error: 'must be an object of strings' })
      .optional(),
    version: z
      .string({ error: "must be a semver range, such as '^2.1'" })
      .refine((range) => semver.validRange(range) !== null, {
        error: "must be a semver range, such as '^2.1'",
      })
      .optional(),
    filter: nonEmptyString('must be a filter expression').optional(),
    datacenter: nonEmptyString("must be a datacenter's name").optional(),
    failover: z
      .union(
        [
          datacenters,
          z.strictObject({
            to: datacenters,
            minInstances: integer(1, 1_000_000).optional(),
            failbackAfter: durationSchema(0).optional(),
          } satisfies OptionShape<FailoverOptions>),
        ],
        { error: "must be an array of datacenters, such as ['dc2'], or { to: ['dc2'], minInstances: 2 }" },
      )
      .optional(),
    near: nonEmptyString("must be a node's name, or _agent").optional(),
    preparedQuery: z.boolean({ error: 'must be true or false' }).optional(),
    includeWarning: z.boolean({ error: 'must be true or false' }).optional(),
  } satisfies OptionShape<ServiceQuery>,
  { error: 'must be an object' },
);

/** Why a call refuses `near`: a list is ordered when it is read, and the first of it would get every call. */
export const NEAR_HINT =
  'is for getInstances and watch only; for calls set service.zone or clients.zone, which prefer what is near while it has capacity';

const KEYS: ReadonlySet<string> = new Set(Object.keys(serviceQuerySchema.shape));

/** The key of a query that was not validated: this is on the path of calls, and queries are validated when they are new. */
export function keyOfUnchecked(service: string, query: ServiceQuery): string {
  for (const key in query) if (!KEYS.has(key)) assertQuery(service, query);
  try {
    return queryKey(service, query);
  } catch (error) {
    assertQuery(service, query);
    throw error;
  }
}

/**
 * Rejects what would silently widen the selection: `{ tag: 'v1' }` must not select every instance.
 *
 * @throws DiscoveryError `RK_INVALID_ARGUMENT`
 */
export function assertQuery(service: string, query: ServiceQuery): void {
  if (typeof service !== 'string' || service.trim() === '') {
    throw new DiscoveryError(
      'RK_INVALID_ARGUMENT',
      `service: ${JSON.stringify(service)} is not a service name`,
      {
        hint: "Name the service as it is registered, such as 'inventory'",
      },
    );
  }
  const issues = validateOptions(serviceQuerySchema, query);
  if (issues.length === 0) return;
  const described = issues.map(
    ({ field, value, hint }) => `query.${field}${value === undefined ? '' : ` = ${value}`}: ${hint}`,
  );
  throw new DiscoveryError('RK_INVALID_ARGUMENT', described.join('; '));
}

/** For messages: ` for {"tags":["v1"]}`, or nothing. */
export function describeQuery(query: ServiceQuery = {}): string {
  const fields = Object.entries(query).filter(([, value]) => value !== undefined);
  return fields.length > 0 ? ` for ${JSON.stringify(Object.fromEntries(fields))}` : '';
}

/**
 * One key for all queries with the same meaning, whatever the order of their fields. An invalid query has a key of its own,
 * so that it is never taken for a valid one.
 */
export function queryKey(service: string, query: ServiceQuery = {}): string {
  const { tags, meta, version, filter, datacenter, near, preparedQuery, includeWarning } = query;
  const isEntries = typeof meta === 'object' && !Array.isArray(meta) && (meta as unknown) !== null;
  return JSON.stringify([
    service,
    Array.isArray(tags) ? [...(tags as readonly string[])].sort() : encodeOptional(tags),
    isEntries ? Object.entries(meta).sort(([a], [b]) => (a < b ? -1 : 1)) : encodeOptional(meta),
    encodeOptional(version),
    encodeOptional(filter),
    encodeOptional(datacenter),
    failoverOf(query) ?? 0,
    encodeOptional(near),
    encodeOptional(preparedQuery),
    encodeOptional(includeWarning),
  ]);
}

/** In JSON, tells a field that was left out from null and from an empty value. */
function encodeOptional(value: unknown): unknown {
  return value === undefined || value === false ? 0 : ['given', value];
}

/** The failover options with their defaults, durations in milliseconds; undefined: no failover. */
export function failoverOf({
  failover,
}: ServiceQuery): { to: readonly string[]; minInstances: number; failbackAfterMs: number } | undefined {
  if (failover === undefined) return undefined;
  const {
    to,
    minInstances = 1,
    failbackAfter = '10s',
  }: FailoverOptions = 'to' in failover ? failover : { to: failover };
  return { to, minInstances, failbackAfterMs: toMilliseconds(failbackAfter, 'query.failover.returnAfter') };
}

/** The source query for this query in this datacenter. */
export function sourceQueryOf(query: ServiceQuery, datacenter = query.datacenter): SourceQuery {
  const { filter, near, preparedQuery } = query;
  return {
    ...(filter === undefined ? {} : { filter }),
    ...(datacenter === undefined ? {} : { datacenter }),
    ...(near === undefined ? {} : { near }),
    ...(preparedQuery ? { preparedQuery } : {}),
  };
}

/** Whether a part of the query is filtered locally. */
export function hasLocalFilter({ tags, meta, version }: ServiceQuery): boolean {
  return tags !== undefined || meta !== undefined || version !== undefined;
}

/** Why an instance does not match a query; undefined: it does. */
export function mismatchReason(
  instance: Pick<ServiceInstance, 'tags' | 'meta'>,
  { tags = [], meta = {}, version }: ServiceQuery,
): string | undefined {
  const tag = tags.find((wanted) => !instance.tags.includes(wanted));
  if (tag !== undefined) return `it lacks the tag "${tag}"`;
  const entry = Object.entries(meta).find(([key, value]) => instance.meta[key] !== value);
  if (entry) {
    const [key, value] = entry;
    return `its meta.${key} is ${JSON.stringify(instance.meta[key])}, not ${JSON.stringify(value)}`;
  }
  if (version === undefined) return undefined;
  const own = instance.meta.version;
  if (own === undefined || semver.valid(own) === null)
    return `its meta.version is ${JSON.stringify(own)}, which is not a semver version`;
  return semver.satisfies(own, version) ? undefined : `its version ${own} is not in ${version}`;
}
