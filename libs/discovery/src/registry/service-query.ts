import semver from 'semver';
import { z } from 'zod';
import { toMilliseconds, type Duration } from '../configuration/duration.js';
import { durationSchema, findMistakes, text, wholeNumber } from '../configuration/validate-options.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { ServiceInstance } from './service-instance.js';

/** Which instances of a service are wanted. Whatever is left out does not narrow the answer. */
export interface ServiceQuery {
  /** Instances that carry all of these tags. */
  tags?: readonly string[];
  /** Instances whose meta has all of these entries. */
  meta?: Readonly<Record<string, string>>;
  /** Instances whose `meta.version` is in this semver range, such as `'^2.1'`; those without a version are not. */
  version?: string;
  /** An expression in the registry's own language; in Consul a filter expression such as `Service.Meta.tier == "gold"`. */
  filter?: string;
  /** Default: the agent's own datacenter. */
  datacenter?: string;
  /** Other datacenters, in their order, for when this one has too few. Default: none. */
  failover?: readonly string[] | FailoverOptions;
  /** Sort by network distance from this node; `_agent` is the agent that answers. */
  near?: string;
  /** The name is that of a prepared query of Consul, which has no watch: it is asked every 10 s. Default: false. */
  preparedQuery?: boolean;
  /** Use instances in state *warning* as well; without it they are used only when none passes. Default: false. */
  includeWarning?: boolean;
}

export interface FailoverOptions {
  /** Datacenters, best first. */
  to: readonly string[];
  /** Fewer usable instances than this are too few. Default: 1. */
  below?: number;
  /** For how long a better datacenter must have enough again before calls return to it. Default: `'10s'`. */
  returnAfter?: Duration;
}

/** What a source is asked; the rest of a query is narrowed down from the answer, so that all its users share one watch. */
export type SourceQuery = Pick<ServiceQuery, 'filter' | 'datacenter' | 'near' | 'preparedQuery'>;

const texts = z.array(text('must be text that is not blank'), {
  error: "must be an array of texts, such as ['v1']",
});
const datacenters = z
  .array(text("must be a datacenter's name"), { error: "must be an array of datacenters, such as ['dc2']" })
  .min(1, { error: 'must name at least one datacenter' });

export const serviceQuerySchema = z.strictObject(
  {
    tags: texts.optional(),
    meta: z
      .record(z.string(), z.string({ error: 'must be text' }), { error: 'must be an object of texts' })
      .optional(),
    version: z
      .string({ error: "must be a semver range, such as '^2.1'" })
      .refine((range) => semver.validRange(range) !== null, {
        error: "must be a semver range, such as '^2.1'",
      })
      .optional(),
    filter: text('must be a filter expression').optional(),
    datacenter: text("must be a datacenter's name").optional(),
    failover: z
      .union(
        [
          datacenters,
          z.strictObject({
            to: datacenters,
            below: wholeNumber(1, 1_000_000).optional(),
            returnAfter: durationSchema(0).optional(),
          }),
        ],
        { error: "must be an array of datacenters, such as ['dc2'], or { to: ['dc2'], below: 2 }" },
      )
      .optional(),
    near: text("must be a node's name, or _agent").optional(),
    preparedQuery: z.boolean({ error: 'must be true or false' }).optional(),
    includeWarning: z.boolean({ error: 'must be true or false' }).optional(),
  },
  { error: 'must be an object' },
);

const KEYS: ReadonlySet<string> = new Set(Object.keys(serviceQuerySchema.shape));

/** The key of a query that may be anything; queries are checked when they are new, and this is on the path of calls. */
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
 * Refuses what would silently widen the answer: `{ tag: 'v1' }` must not mean everybody.
 *
 * @throws DiscoveryError `RK_INVALID_ARGUMENT`
 */
export function assertQuery(service: string, query: ServiceQuery): void {
  if (typeof service !== 'string' || service.trim() === '') {
    throw new DiscoveryError(
      'RK_INVALID_ARGUMENT',
      `service: ${JSON.stringify(service)} is no service name`,
      {
        hint: "Name the service as it is registered, such as 'inventory'",
      },
    );
  }
  const mistakes = findMistakes(serviceQuerySchema, query);
  if (mistakes.length === 0) return;
  const told = mistakes.map(
    ({ field, value, cure }) => `query.${field}${value === undefined ? '' : ` = ${value}`}: ${cure}`,
  );
  throw new DiscoveryError('RK_INVALID_ARGUMENT', told.join('; '));
}

/** For messages: ` for {"tags":["v1"]}`, or nothing. */
export function describeQuery(query: ServiceQuery = {}): string {
  const asked = Object.entries(query).filter(([, value]) => value !== undefined);
  return asked.length > 0 ? ` for ${JSON.stringify(Object.fromEntries(asked))}` : '';
}

/**
 * One key for all queries that mean the same, whatever the order in which they were written. What means nothing has a key
 * of its own, so that it is never taken for something that does.
 */
export function queryKey(service: string, query: ServiceQuery = {}): string {
  const { tags, meta, version, filter, datacenter, near, preparedQuery, includeWarning } = query;
  const isEntries = typeof meta === 'object' && !Array.isArray(meta) && (meta as unknown) !== null;
  return JSON.stringify([
    service,
    Array.isArray(tags) ? [...(tags as readonly string[])].sort() : given(tags),
    isEntries ? Object.entries(meta).sort(([a], [b]) => (a < b ? -1 : 1)) : given(meta),
    given(version),
    given(filter),
    given(datacenter),
    failoverOf(query) ?? 0,
    given(near),
    given(preparedQuery),
    given(includeWarning),
  ]);
}

/** As JSON tells what was not given from null, and from nothing. */
function given(value: unknown): unknown {
  return value === undefined || value === false ? 0 : ['given', value];
}

/** With its defaults, times in milliseconds; undefined: no failover. */
export function failoverOf({
  failover,
}: ServiceQuery): { to: readonly string[]; below: number; returnAfterMs: number } | undefined {
  if (failover === undefined) return undefined;
  const {
    to,
    below = 1,
    returnAfter = '10s',
  }: FailoverOptions = 'to' in failover ? failover : { to: failover };
  return { to, below, returnAfterMs: toMilliseconds(returnAfter, 'query.failover.returnAfter') };
}

/** What a source is to be asked, for this query in this datacenter. */
export function sourceQueryOf(query: ServiceQuery, datacenter = query.datacenter): SourceQuery {
  const { filter, near, preparedQuery } = query;
  return {
    ...(filter === undefined ? {} : { filter }),
    ...(datacenter === undefined ? {} : { datacenter }),
    ...(near === undefined ? {} : { near }),
    ...(preparedQuery ? { preparedQuery } : {}),
  };
}

/** Whether a query says more than a source is asked. */
export function isNarrowing({ tags, meta, version }: ServiceQuery): boolean {
  return tags !== undefined || meta !== undefined || version !== undefined;
}

/** Why an instance is not among those that a query wants; undefined: it is. */
export function whyNotWanted(
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
    return `its meta.version is ${JSON.stringify(own)}, which is no version`;
  return semver.satisfies(own, version) ? undefined : `its version ${own} is not in ${version}`;
}
