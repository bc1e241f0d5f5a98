import { LOAD_FORMAT_HEADER, LOAD_HEADER } from '../calling/call-headers.js';
import type { ConnectionSettings } from '../calling/options/connection-options.js';
import { READINESS_META, type ServiceInstance } from '../registry/service-instance.js';
import type { HttpConnections } from './http-connections.js';

const TIMEOUT_MS = 1_000;

/**
 * Asks a server for its load, by its readiness.
 *
 * @returns undefined: it publishes no readiness, or does not report
 */
export async function askLoad(
  connections: HttpConnections,
  instance: ServiceInstance,
  settings: ConnectionSettings,
): Promise<string | undefined> {
  const path = instance.meta[READINESS_META];
  if (!path?.startsWith('/')) return undefined;
  const { headers, body } = await connections.to(instance, settings).pool.request({
    ...{ path, method: 'GET', headers: { [LOAD_FORMAT_HEADER]: 'TEXT' } },
    ...{ headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS },
  });
  await body.dump();
  const { [LOAD_HEADER]: load } = headers;
  return typeof load === 'string' ? load : undefined;
}
