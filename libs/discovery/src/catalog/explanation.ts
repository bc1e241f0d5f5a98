import {
  hostAndPort,
  instanceKey,
  type InstanceStatus,
  type ServiceInstance,
} from '../registry/service-instance.js';
import { mismatchReason, type ServiceQuery } from '../registry/service-query.js';
import { usableInstances, type SnapshotSource } from './service-snapshot.js';
import type { ServiceView, ViewSource } from './service-view.js';
import type { WatchReport } from './watch-report.js';

/**
 * Whether an instance takes calls, and if not, why.
 * - `eligible`: it takes calls
 * - `warning`, `critical`: by its checks
 * - `maintenance`: by an operator, or by itself
 * - `filtered`: by the query
 * - `suspect`: it takes calls although a suspicious update left it out
 * - `unreachable`: it failed a probe while the registry was unreachable
 * - `ejected`: by outlier detection
 * - `not-selected`: of a datacenter or registry that is not in use
 * - `zero-weight`: its weight is 0, and others have more
 * - `other-zone`: calls stay in the zone of this app, which has capacity
 * - `outside-subset`: of a large service this app calls a part only
 */
export type InstanceState =
  | 'eligible'
  | 'warning'
  | 'critical'
  | 'maintenance'
  | 'filtered'
  | 'suspect'
  | 'unreachable'
  | 'ejected'
  | 'not-selected'
  | 'zero-weight'
  | 'other-zone'
  | 'outside-subset';

export interface ExplainedInstance {
  readonly id: string;
  readonly address: string;
  readonly status: InstanceStatus;
  readonly weight: number;
  readonly zone: string | undefined;
  readonly datacenter: string;
  readonly node: string;
  readonly state: InstanceState;
  /** Why it is in this state, in words. */
  readonly reason: string;
  /** Statistics of this app's calls to it; undefined: there were none. */
  readonly calls?: InstanceCalls;
}

export interface InstanceCalls {
  /** Calls in flight. */
  readonly inFlight: number;
  /** Peak EWMA in milliseconds, a failure counted as a second; 0: unknown. */
  readonly latencyMs: number;
  /** Of recent calls, 0 to 1. */
  readonly successRate: number;
  /** Its share of the traffic relative to the others, with slow start. */
  readonly weight: number;
  /** What the server said of its load, to clients with the strategy `p2c-load`; undefined: nothing, or not lately. */
  readonly reported?: {
    /** Calls under way at the server. */
    readonly inFlight: number;
    readonly averageInFlight: number;
    readonly ageMs: number;
  };
}

/** What may reject a call to the service before an instance is picked. */
export interface CallLimits {
  /** Undefined: there is no circuit breaker. */
  readonly circuit: 'closed' | 'open' | undefined;
  /** Undefined: there is no bulkhead. */
  readonly bulkhead:
    { readonly inFlight: number; readonly queued: number; readonly limit: number } | undefined;
}

/** What is known of a service, and why calls go where they go. */
export interface ServiceExplanation {
  readonly service: string;
  readonly query: ServiceQuery;
  /** Undefined: there is no list yet. */
  readonly snapshot:
    { readonly version: number; readonly source: SnapshotSource; readonly ageMs: number } | undefined;
  /** The number of usable instances. */
  readonly usable: number;
  readonly lists: readonly (WatchReport & { readonly name: string; readonly inUse: boolean })[];
  readonly instances: readonly ExplainedInstance[];
  /** Undefined: neither a circuit breaker nor a bulkhead. */
  readonly limits?: CallLimits;
}

export function explainView(view: ServiceView): ServiceExplanation {
  const { service, query, sources, chosen, snapshot } = view;
  const usable = snapshot ? usableInstances(snapshot, query) : [];
  const usableKeys = new Set(usable.map(instanceKey));
  return {
    service,
    query,
    snapshot: snapshot && {
      version: snapshot.version,
      source: snapshot.source,
      ageMs: snapshot.ageMs,
    },
    usable: usable.length,
    lists: sources.map(({ name, watcher }, index) => ({
      ...watcher.report,
      name,
      inUse: chosen.includes(index),
    })),
    instances: sources.flatMap((source, index) =>
      explainSource(source, chosen.includes(index), query, usableKeys),
    ),
  };
}

function explainSource(
  { name, watcher }: ViewSource,
  isChosen: boolean,
  query: ServiceQuery,
  usable: ReadonlySet<string>,
): ExplainedInstance[] {
  return (watcher.snapshot?.instances ?? []).map((instance) => {
    const { id, status, weight, zone, datacenter, node } = instance;
    const described = { id, address: hostAndPort(instance), status, weight, zone, datacenter, node };
    if (!isChosen) return { ...described, state: 'not-selected', reason: `${name} is not in use` };
    const isUsable = usable.has(instanceKey(instance));
    return { ...described, ...stateOf(instance, query, isUsable, watcher.explain(instance)) };
  });
}

type ExplainedState = Pick<ExplainedInstance, 'state' | 'reason'>;

function stateOf(
  instance: ServiceInstance,
  query: ServiceQuery,
  isUsable: boolean,
  watched: ExplainedState | undefined,
): ExplainedState {
  const mismatch = mismatchReason(instance, query);
  if (mismatch !== undefined) return { state: 'filtered', reason: mismatch };
  if (watched) return watched;
  switch (instance.status) {
    case 'passing':
      return isUsable
        ? { state: 'eligible', reason: 'its checks pass' }
        : { state: 'not-selected', reason: 'another registry lists an instance with this id' };
    case 'warning':
      if (!isUsable)
        return { state: 'warning', reason: 'one of its checks is warning, and other instances are passing' };
      return {
        state: 'eligible',
        reason: query.includeWarning
          ? 'one of its checks is warning, and the query includes those'
          : 'one of its checks is warning, and no instance is passing',
      };
    case 'maintenance':
      return { state: 'maintenance', reason: 'the instance, or its node, is in maintenance' };
    case 'critical':
      return { state: 'critical', reason: 'one of its checks, or of its node, is critical' };
  }
}
