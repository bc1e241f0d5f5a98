import type { ServiceSnapshot } from '../catalog/service-snapshot.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { describeQuery, hasLocalFilter, type ServiceQuery } from '../registry/service-query.js';

/** Explains why no instance can be used. */
export function noInstancesError(
  snapshot: ServiceSnapshot | undefined,
  service: string,
  query: ServiceQuery = {},
): DiscoveryError {
  const counts = new Map<string, number>();
  for (const { status } of snapshot?.instances ?? []) counts.set(status, (counts.get(status) ?? 0) + 1);
  const listed = [...counts].map(([status, count]) => `${count} ${status}`).join(', ');
  return new DiscoveryError('RK_NO_INSTANCES', `no usable instance of "${service}"${describeQuery(query)}`, {
    hint: listed
      ? `The registry lists ${listed}`
      : hasLocalFilter(query)
        ? `No instance matches; discovery.explain('${service}', query) shows why`
        : 'The registry lists none: is it running and registered?',
  });
}
