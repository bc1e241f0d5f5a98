import type { DiscoveryOptions, Duration, ServiceOptions } from '@rookery/discovery';
import {
  type AsyncOptions,
  discoveryOptionsShape,
  durationSchema,
  invalidConfigError,
  type OptionIssue,
  toMilliseconds,
  validateOptions,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import {
  etcdClientOptionsShape,
  resolveEtcd,
  withoutSecret,
  type EtcdClientOptions,
  type ResolvedEtcd,
} from './client/etcd-options.js';
import type { EtcdRegistryOptions } from './registry/etcd.registry.js';
import type { InstanceLayout } from './registry/instance-value.js';

/** What `EtcdModule.forRoot` takes; `{}` discovers through the etcd at 127.0.0.1:2379. */
export interface EtcdModuleOptions extends DiscoveryOptions, EtcdClientOptions {
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

/** For `useClass` and `useExisting`. */
export interface EtcdOptionsFactory {
  createEtcdOptions(): EtcdModuleOptions | Promise<EtcdModuleOptions>;
}

/** What `EtcdModule.forRootAsync` takes: one of `useFactory`, `useClass`, `useExisting`. */
export type EtcdModuleAsyncOptions = AsyncOptions<EtcdModuleOptions, EtcdOptionsFactory>;

/** Validated and complete; secrets cannot be printed. */
export interface ResolvedEtcdOptions {
  readonly discovery: DiscoveryOptions;
  readonly etcd: ResolvedEtcd;
  readonly registry: EtcdRegistryOptions;
}

const DEFAULT_PREFIX = '/rookery/services';
const DEFAULT_TTL = '15s';

const schema = z.strictObject(
  {
    ...etcdClientOptionsShape,
    prefix: z
      .string({ error: "must be a path such as '/rookery/services'" })
      .regex(/^(\/?[^/]+(\/[^/]+)*)?$/, {
        error: "must be a path such as '/rookery/services', without a slash at its end",
      })
      .optional(),
    layout: z.enum(['rookery', 'grpc'], { error: "must be 'rookery' or 'grpc'" }).optional(),
    leaseTtl: durationSchema(5_000, 3_600_000).optional(),
    ...discoveryOptionsShape,
  },
  { error: 'must be an object; {} takes every default' },
);

/** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment */
export function resolveEtcdOptions(
  options: EtcdModuleOptions,
  environment: NodeJS.ProcessEnv = process.env,
): ResolvedEtcdOptions {
  const issues = validateOptions(schema, options).map(withoutSecret);
  if (issues.length > 0) throw invalidConfigError('EtcdModule', issues);
  const { endpoints, auth, tls, timeout, prefix, layout, leaseTtl = DEFAULT_TTL, ...discovery } = options;
  const client = {
    ...(endpoints === undefined ? {} : { endpoints }),
    ...(auth === undefined ? {} : { auth }),
    ...(tls === undefined ? {} : { tls }),
    ...(timeout === undefined ? {} : { timeout }),
  };
  const resolution = resolveEtcd(client, environment);
  const services = servicesOf(discovery);
  issues.push(...resolution.issues, ...checkIssues(services));
  if (issues.length > 0 || !resolution.etcd) throw invalidConfigError('EtcdModule', issues);
  const registered = services.map((service) => ({
    check: { type: 'ttl' as const, ttl: leaseTtl },
    ...service,
  }));
  return {
    discovery: { ...discovery, ...(registered.length > 0 ? { service: registered } : {}) },
    etcd: resolution.etcd,
    registry: {
      prefix: prefix ?? DEFAULT_PREFIX,
      layout: layout ?? 'rookery',
      ttl: Math.ceil(toMilliseconds(leaseTtl, 'leaseTtl') / 1_000),
    },
  };
}

function servicesOf({ service }: DiscoveryOptions): readonly ServiceOptions[] {
  if (service === undefined) return [];
  return Array.isArray(service) ? (service as readonly ServiceOptions[]) : [service as ServiceOptions];
}

/** Etcd runs no checks: the app reports its own health. */
function checkIssues(services: readonly ServiceOptions[]): OptionIssue[] {
  return services.flatMap(({ name, check = [] }) => {
    const [wrong] = [check].flat().filter(({ type }) => type !== 'ttl');
    if (!wrong) return [];
    const hint = `etcd runs no checks, so that "${name}" reports its own health: leave it out, or use 'ttl'`;
    return [{ field: 'service.check.type', value: JSON.stringify(wrong.type), hint }];
  });
}
