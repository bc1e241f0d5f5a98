import type { Duration } from '@rookery/discovery';
import { durationSchema, type OptionShape, toMilliseconds } from '@rookery/discovery/adapter';
import { z } from 'zod';
import type { InstanceLayout } from './instance-value.js';

/** Where registrations are, and how. */
export interface EtcdRegistryOptions {
  /**
   * What the keys of instances begin with: `<prefix>/<service>/<id>`. That of go-kratos is `/microservices`; `''`: keys begin with the
   * service, as the resolver of etcd's client for Go expects them. Default: `'/rookery/services'`.
   */
  prefix?: string;
  /** `grpc`: as the resolver of etcd's client for Go reads it. All are read. Default: `'rookery'`. */
  layout?: InstanceLayout;
  /** How long a registration outlives an app that cannot renew it, which it does three times in that; at least 5 s. Default: `'15s'`. */
  leaseTtl?: Duration;
}

export interface ResolvedEtcdRegistry {
  readonly prefix: string;
  readonly layout: InstanceLayout;
  /** Of a lease, in seconds. */
  readonly ttl: number;
}

/** The schema of each field of `EtcdRegistryOptions`. */
export const etcdRegistryOptionsShape: OptionShape<EtcdRegistryOptions> = {
  prefix: z
    .string({ error: "must be a path such as '/rookery/services'" })
    .regex(/^(\/?[^/]+(\/[^/]+)*)?$/, {
      error: "must be a path such as '/rookery/services', without a slash at its end",
    })
    .optional(),
  layout: z.enum(['rookery', 'grpc'], { error: "must be 'rookery' or 'grpc'" }).optional(),
  leaseTtl: durationSchema(5_000, 3_600_000).optional(),
};

export function resolveRegistry({
  prefix = '/rookery/services',
  layout = 'rookery',
  leaseTtl = '15s',
}: EtcdRegistryOptions): ResolvedEtcdRegistry {
  return { prefix, layout, ttl: Math.ceil(toMilliseconds(leaseTtl, 'leaseTtl') / 1_000) };
}
