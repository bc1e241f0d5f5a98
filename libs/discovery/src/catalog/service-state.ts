import type { InstanceStatus } from '../registry/service-instance.js';
import { usableInstances } from './service-snapshot.js';
import type { ServiceView } from './service-view.js';

/** A service in numbers. */
export interface ServiceState {
  readonly service: string;
  /** Undefined: there is no list yet. */
  readonly ageMs: number | undefined;
  readonly usable: number;
  readonly byStatus: Readonly<Record<InstanceStatus, number>>;
  /** Of all its watches. */
  readonly updates: number;
  readonly spurious: number;
  readonly reconnects: number;
  /** The first of its watches that fails: why. */
  readonly error: string | undefined;
}

export function serviceState({ service, query, snapshot, sources }: ServiceView): ServiceState {
  const byStatus = { passing: 0, warning: 0, critical: 0, maintenance: 0 };
  for (const { status } of snapshot?.instances ?? []) byStatus[status]++;
  const reports = sources.map(({ watcher }) => watcher.report);
  const sum = (of: 'updates' | 'spurious' | 'reconnects'): number =>
    reports.reduce((total, report) => total + report[of], 0);
  return {
    service,
    ageMs: snapshot?.ageMs,
    usable: snapshot ? usableInstances(snapshot, query).length : 0,
    byStatus,
    updates: sum('updates'),
    spurious: sum('spurious'),
    reconnects: sum('reconnects'),
    error: reports.find(({ error }) => error !== undefined)?.error,
  };
}
