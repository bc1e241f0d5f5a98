import { badRequest } from '../http/api-error.js';
import type { LocalService } from './local-state.js';
import type { ServiceBody } from './service-schema.js';

const PORTS = { from: 21_000, to: 21_255 };

export const sidecarId = (id: string): string => `${id}-sidecar-proxy`;

/** The proxy that `Connect.SidecarService` asks for, with the defaults that Consul gives it. */
export function sidecarOf(body: ServiceBody, services: Iterable<LocalService>): ServiceBody | undefined {
  const given = body.Connect?.SidecarService;
  if (!given) return undefined;
  const name = body.Name ?? '';
  const id = body.ID || name;
  const { Check, Checks, Proxy, ...rest } = given;
  const hasChecks = Check !== undefined || (Checks?.length ?? 0) > 0;
  const Port = given.Port || freePort(sidecarId(id), services);
  return {
    ...rest,
    ID: sidecarId(id),
    Name: given.Name || sidecarId(name),
    Kind: given.Kind || 'connect-proxy',
    Tags: given.Tags ?? body.Tags ?? [],
    Meta: given.Meta ?? body.Meta ?? {},
    Port,
    Proxy: {
      ...Proxy,
      DestinationServiceName: Proxy?.DestinationServiceName || name,
      DestinationServiceID: Proxy?.DestinationServiceID || id,
      LocalServiceAddress: Proxy?.LocalServiceAddress || '127.0.0.1',
      ...(body.Port ? { LocalServicePort: Proxy?.LocalServicePort || body.Port } : {}),
    },
    Checks: hasChecks
      ? [...(Checks ?? []), ...(Check ? [Check] : [])]
      : [
          {
            Name: 'Connect Sidecar Listening',
            TCP: `${given.Address || body.Address || '127.0.0.1'}:${Port}`,
            Interval: 10_000,
          },
          { Name: `Connect Sidecar Aliasing ${id}`, AliasService: id },
        ],
  };
}

function freePort(id: string, services: Iterable<LocalService>): number {
  const others = [...services];
  const own = others.find((service) => service.id === id);
  if (own) return own.port;
  const taken = new Set(others.map(({ port }) => port));
  for (let port = PORTS.from; port <= PORTS.to; port++) if (!taken.has(port)) return port;
  throw badRequest(
    `Failed to register Service: none left in the configured range [${PORTS.from}, ${PORTS.to}]`,
  );
}
