import { isIP } from 'node:net';

/**
 * The health of an instance by the registry's checks: the worst of all of them.
 * `maintenance`: an operator, or the instance itself, asked for no traffic.
 */
export type InstanceStatus = 'passing' | 'warning' | 'critical' | 'maintenance';

/** One running copy of a service, as the registry describes it. Frozen: hold it, compare it, never change it. */
export interface ServiceInstance {
  readonly id: string;
  readonly service: string;
  /** Host name or IP address to connect to, never empty. */
  readonly address: string;
  readonly port: number;
  /** True when the instance speaks TLS. */
  readonly secure: boolean;
  /** Its certificate names its service in place of its address, and it wants one of its callers, as with Consul Connect. Default: false. */
  readonly inMesh?: boolean;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly status: InstanceStatus;
  /** Share of traffic relative to other instances of the service, by its status; 1 unless registered otherwise. */
  readonly weight: number;
  readonly zone: string | undefined;
  /** The registry's name of the host that it runs on. */
  readonly node: string;
  readonly datacenter: string;
}

export function freezeInstance(instance: ServiceInstance): ServiceInstance {
  Object.freeze(instance.tags);
  Object.freeze(instance.meta);
  return Object.freeze(instance);
}

/** RFC 1123, with underscores, which names in registries may have. */
const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?\.?$/;

/** Whether an address of an instance is a host name or an IP address: anything else, such as `host/path`, would lead elsewhere. */
export function isHost(address: string): boolean {
  return isIP(address) !== 0 || HOST_NAME.test(address);
}

/** `address:port` as in a URL, with an IPv6 address in brackets. */
export function hostAndPort(instance: Pick<ServiceInstance, 'address' | 'port'>): string {
  const host = instance.address.includes(':') ? `[${instance.address}]` : instance.address;
  return `${host}:${instance.port}`;
}

/** Identifies an instance among all: an id is unique on its node only. */
export function instanceKey({
  id,
  node,
  datacenter,
}: Pick<ServiceInstance, 'id' | 'node' | 'datacenter'>): string {
  return `${datacenter}/${node}/${id}`;
}

/** Scheme, host and port, as in a URL. */
export function originOf(instance: Pick<ServiceInstance, 'address' | 'port' | 'secure'>): string {
  return `${instance.secure ? 'https' : 'http'}://${hostAndPort(instance)}`;
}

/** The entry of `meta` in which an app of Rookery publishes its readiness path, for clients that verify the registry's list. */
export const READINESS_META = 'rookery-ready';

/** The entry of `meta` by which a microservice of Rookery is known, which has no readiness path. */
export const RPC_META = 'rookery-rpc';

/** An app of Rookery has registered it: it understands what callers send along. */
export function isOfRookery({ meta }: Pick<ServiceInstance, 'meta'>): boolean {
  return meta[READINESS_META] !== undefined || meta[RPC_META] !== undefined;
}

/** The entry of `meta` with the path that precedes every route of the instance; the name that Spring apps use. */
export const CONTEXT_PATH_META = 'contextPath';
