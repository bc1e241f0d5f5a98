import { ApiError } from '../http/api-error.js';
import type { ProxyBody } from './service-schema.js';

/** As Consul keeps the settings of a proxy. */
export interface ProxyRecord {
  readonly DestinationServiceName?: string;
  readonly DestinationServiceID?: string;
  readonly LocalServiceAddress?: string;
  readonly LocalServicePort?: number;
  readonly Config?: Record<string, unknown>;
  readonly MeshGateway: object;
  readonly Expose: object;
}

export const NO_PROXY: ProxyRecord = { MeshGateway: {}, Expose: {} };
/** @throws ApiError 501 for what would be dropped in silence */
export function proxyRecord(body: ProxyBody | undefined): ProxyRecord {
  if (!body) return NO_PROXY;
  const { DestinationServiceName, DestinationServiceID, LocalServiceAddress, LocalServicePort, Config } =
    body;
  for (const [field, value] of Object.entries({
    Upstreams: body.Upstreams,
    MeshGateway: body.MeshGateway,
    Expose: body.Expose,
  })) {
    if (value !== undefined && Object.keys(value).length > 0)
      throw new ApiError(501, `embedded-consul: Proxy.${field} is not implemented`);
  }
  return {
    ...(DestinationServiceName ? { DestinationServiceName } : {}),
    ...(DestinationServiceID ? { DestinationServiceID } : {}),
    ...(LocalServiceAddress ? { LocalServiceAddress } : {}),
    ...(LocalServicePort ? { LocalServicePort } : {}),
    ...(Config && Object.keys(Config).length > 0 ? { Config } : {}),
    ...NO_PROXY,
  };
}
