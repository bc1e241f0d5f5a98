import {
  hostAndPort,
  instanceKey,
  type InstanceStatus,
  type ServiceInstance,
} from '../registry/service-instance.js';
import { whyNotWanted, type ServiceQuery } from '../registry/service-query.js';
import { usableInstances, type SnapshotSource } from './service-snapshot.js';
import type { ServiceView } from './service-view.js';
import type { WatchReport } from './watch-report.js';

/**
 * What becomes of an instance: `used`; `warning` and `critical`, by its checks; `maintenance`, by somebody's wish;
 * `filtered` by the query; `suspect`, used though the registry does not list it any more; `avoided`, found silent while
 * the registry was away; `ejected`, since calls to it failed; `other list`, of a datacenter or registry that is not in use.
 */
export type InstanceVerdict =
  | 'used'
  | 'warning'
  | 'critical'
  | 'maintenance'
  | 'filtered'
  | 'suspect'
  | 'avoided'
  | 'ejected'
  | 'other list';

export interface ExplainedInstance {
  readonly id: string;
  readonly address: string;
  readonly status: InstanceStatus;
  readonly weight: number;
  readonly zone: string | undefined;
  readonly datacenter: string;
  readonly node: string;
  readonly verdict: InstanceVerdict;
  /** In words. */
  readonly why: string;
  /** What this app's calls have seen of it; undefined: there were none. */
  readonly calls?: InstanceCalls;
}

export interface InstanceCalls {
  /** Under way at the moment. */
  readonly inFlight: number;
  /** Peak EWMA, in milliseconds, a failure counted as a second; 0: nothing is known of late. */
  readonly latency: number;
  /** Of late, 0 to 1. */
  readonly successRate: number;
  /** Its share of the traffic relative to the others, with slow start. */
  readonly weight: number;
}

/** What is known of a service, and why calls go where they go. */
export interface ServiceExplanation {
  readonly service: string;
  readonly query: ServiceQuery;
  /** Undefined: there is no list yet. */
  readonly snapshot:
    { readonly version: number; readonly source: SnapshotSource; readonly age: number } | undefined;
  readonly usable: number;
  readonly lists: readonly (WatchReport & { readonly name: string; readonly inUse: boolean })[];
  readonly instances: readonly ExplainedInstance[];
}

export function explainView(view: ServiceView): ServiceExplanation {
  const { service, query, legs, chosen } = view;
  const snapshot = view.snapshot;
  return {
    service,
    query,
    snapshot: snapshot && { version: snapshot.version, source: snapshot.source, age: snapshot.age },
    usable: snapshot ? usableInstances(snapshot, query).length : 0,
    lists: legs.map(({ name, watcher }, at) => ({ ...watcher.report, name, inUse: chosen.includes(at) })),
    instances: legs.flatMap((_, at) => explainLeg(view, at)),
  };
}

function explainLeg({ legs, chosen, query, snapshot }: ServiceView, at: number): ExplainedInstance[] {
  const leg = legs[at];
  const usable = new Set((snapshot ? usableInstances(snapshot, query) : []).map(instanceKey));
  return (leg?.watcher.snapshot?.instances ?? []).map((instance) => {
    const { id, status, weight, zone, datacenter, node } = instance;
    const told = { id, address: hostAndPort(instance), status, weight, zone, datacenter, node };
    if (!chosen.includes(at))
      return { ...told, verdict: 'other list', why: `${leg?.name} is not in use at present` };
    return {
      ...told,
      ...verdictOn(instance, query, usable.has(instanceKey(instance)), leg?.watcher.explain(instance)),
    };
  });
}

function verdictOn(
  instance: ServiceInstance,
  query: ServiceQuery,
  isUsed: boolean,
  seen: { verdict: 'suspect' | 'avoided'; why: string } | undefined,
): { verdict: InstanceVerdict; why: string } {
  const unwanted = whyNotWanted(instance, query);
  if (unwanted !== undefined) return { verdict: 'filtered', why: unwanted };
  if (seen) return seen;
  const { status } = instance;
  if (status === 'passing')
    return isUsed
      ? { verdict: 'used', why: 'its checks pass' }
      : { verdict: 'other list', why: 'another registry has an instance of this id' };
  if (status === 'warning')
    return {
      verdict: isUsed ? 'used' : 'warning',
      why: isUsed
        ? query.includeWarning
          ? 'a check of it warns, and the query includes those'
          : 'a check of it warns, and no instance passes'
        : 'a check of it warns, and there are instances that pass',
    };
  if (status === 'maintenance') return { verdict: 'maintenance', why: 'it, or its node, is in maintenance' };
  return { verdict: 'critical', why: 'a check of it, or of its node, is critical' };
}
