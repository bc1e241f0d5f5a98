import type { ServiceView } from '../catalog/service-view.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { describeQuery, hasLocalFilter, type ServiceQuery } from '../registry/service-query.js';
import type { CancelSignal, Clock } from '../timing/clock.js';
import { withTimeout } from '../timing/with-timeout.js';

export interface TimeToExplain {
  readonly clock: Clock;
  /** How long the registry may be asked for the reason, in milliseconds; 0: not at all. */
  readonly withinMs: number;
  readonly signal?: CancelSignal | undefined;
}

/** Explains why no instance can be used; what has come since is seen by the next calls. */
export async function noInstancesError(
  view: ServiceView,
  service: string,
  query: ServiceQuery = {},
  time: TimeToExplain,
): Promise<DiscoveryError> {
  view.readAgain();
  return new DiscoveryError('RK_NO_INSTANCES', `no usable instance of "${service}"${describeQuery(query)}`, {
    hint: await explain(view, service, query, time),
  });
}

async function explain(
  view: ServiceView,
  service: string,
  query: ServiceQuery,
  { clock, withinMs, signal }: TimeToExplain,
): Promise<string> {
  const listed = countByStatus(view);
  if (listed === '' && hasLocalFilter(query))
    return `No instance matches; discovery.explain('${service}', query) shows why`;
  const diagnosis = withinMs > 0 ? await diagnose(view, { clock, withinMs, signal }) : undefined;
  if (listed === '') return diagnosis ?? 'The registry lists none: is it running and registered?';
  return `The registry lists ${listed}${diagnosis === undefined ? '' : `. ${diagnosis}`}`;
}

async function diagnose(
  view: ServiceView,
  { clock, withinMs, signal }: TimeToExplain,
): Promise<string | undefined> {
  const timedOut = (): Error => new Error('timed out');
  return withTimeout(clock, withinMs, view.diagnose(), timedOut, signal).catch(() => undefined);
}

function countByStatus({ snapshot }: ServiceView): string {
  const counts = new Map<string, number>();
  for (const { status } of snapshot?.instances ?? []) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} ${status}`).join(', ');
}
