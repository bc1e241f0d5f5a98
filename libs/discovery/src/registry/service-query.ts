import { DiscoveryError } from '../errors/discovery-error.js';
import type { ServiceInstance } from './service-instance.js';

/** Which instances of a service are wanted. Whatever is left out does not narrow the answer. */
export interface ServiceQuery {
  /** Instances that carry all of these tags. */
  tags?: readonly string[];
  /** Instances whose meta has all of these entries. */
  meta?: Readonly<Record<string, string>>;
  /** An expression in the registry's own language; in Consul a filter expression such as `Service.Meta.tier == "gold"`. */
  filter?: string;
  /** Default: the agent's own datacenter. */
  datacenter?: string;
  /** Sort by network distance from this node; `_agent` is the agent that answers. */
  near?: string;
  /** Also use instances in state *warning*. Default: false. */
  includeWarning?: boolean;
}

const QUERY_KEYS: ReadonlySet<string> = new Set([
  'tags',
  'meta',
  'filter',
  'datacenter',
  'near',
  'includeWarning',
]);

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
  for (const key of Object.keys(query)) {
    if (QUERY_KEYS.has(key)) continue;
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `query.${key}: unknown`, {
      hint: `Known here: ${[...QUERY_KEYS].join(', ')}`,
    });
  }
}

/** For messages: ` for {"tags":["v1"]}`, or nothing. */
export function describeQuery(query: ServiceQuery = {}): string {
  const asked = Object.entries(query).filter(([, value]) => value !== undefined);
  return asked.length > 0 ? ` for ${JSON.stringify(Object.fromEntries(asked))}` : '';
}

/** One key for all queries that mean the same, whatever the order in which they were written. */
export function queryKey(service: string, query: ServiceQuery = {}): string {
  return JSON.stringify([
    service,
    query.tags ? [...query.tags].sort() : [],
    Object.entries(query.meta ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
    query.filter ?? '',
    query.datacenter ?? '',
    query.near ?? '',
  ]);
}

/** Whether a caller with this query may be sent to this instance. */
export function isUsable(instance: ServiceInstance, query: ServiceQuery = {}): boolean {
  return instance.status === 'passing' || (instance.status === 'warning' && query.includeWarning === true);
}

/** Whether an instance has the tags and the meta that a query asks for. */
export function matchesLabels(
  instance: Pick<ServiceInstance, 'tags' | 'meta'>,
  query: ServiceQuery,
): boolean {
  const tagged = (query.tags ?? []).every((tag) => instance.tags.includes(tag));
  return tagged && Object.entries(query.meta ?? {}).every(([key, value]) => instance.meta[key] === value);
}
