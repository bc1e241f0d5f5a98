/**
 * What the registry's checks say of an instance: the worst of all of them.
 * `maintenance` is an operator's or the instance's own wish to get no traffic.
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

/** `address:port` as it stands in a URL, with an IPv6 address in brackets. */
export function hostAndPort(instance: Pick<ServiceInstance, 'address' | 'port'>): string {
  const host = instance.address.includes(':') ? `[${instance.address}]` : instance.address;
  return `${host}:${instance.port}`;
}

/** Tells instances apart: an id is unique on its node only. */
export function instanceKey({
  id,
  node,
  datacenter,
}: Pick<ServiceInstance, 'id' | 'node' | 'datacenter'>): string {
  return `${datacenter}/${node}/${id}`;
}

export function originOf(instance: Pick<ServiceInstance, 'address' | 'port' | 'secure'>): string {
  return `${instance.secure ? 'https' : 'http'}://${hostAndPort(instance)}`;
}

/** The entry of `meta` under which an app of ours tells the path of its readiness, for others who doubt the registry. */
export const READINESS_META = 'rookery-ready';
