import type { DiscoveryOptions, LockOptions, ServiceOptions } from '@rookery/discovery';
import {
  type AsyncOptions,
  discoveryOptionsShape,
  invalidConfigError,
  lockOptionsShape,
  omitUndefined,
  type OptionIssue,
  type ResolvedLockOptions,
  resolveLockOptions,
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
import { etcdRegistryOptionsShape, type EtcdRegistryOptions } from './registry/registry-options.js';

/** What `EtcdModule.forRoot` takes; `{}` discovers through the etcd at 127.0.0.1:2379. */
export interface EtcdModuleOptions extends DiscoveryOptions, EtcdClientOptions, EtcdRegistryOptions {
  /** The leases of locks, semaphores and elections. */
  locks?: LockOptions;
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
  readonly locks: ResolvedLockOptions;
}

export const etcdModuleOptionsSchema = z.strictObject(
  {
    ...etcdClientOptionsShape,
    ...etcdRegistryOptionsShape,
    ...discoveryOptionsShape,
    locks: z.strictObject(lockOptionsShape, { error: "must be an object such as { ttl: '15s' }" }).optional(),
  },
  { error: 'must be an object; {} takes every default' },
);

/** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment */
export function resolveEtcdOptions(
  options: EtcdModuleOptions,
  environment: NodeJS.ProcessEnv = process.env,
): ResolvedEtcdOptions {
  const issues = validateOptions(etcdModuleOptionsSchema, options).map(withoutSecret);
  if (issues.length > 0) throw invalidConfigError('EtcdModule', issues);
  const { prefix, layout, leaseTtl, locks, ...rest } = options;
  const { endpoints: _, auth: __, tls: ___, timeout: ____, ...discovery } = rest;
  const resolution = resolveEtcd(options, environment);
  const services = servicesOf(discovery);
  issues.push(...resolution.issues, ...checkIssues(services));
  if (issues.length > 0 || !resolution.etcd) throw invalidConfigError('EtcdModule', issues);
  return {
    discovery,
    etcd: resolution.etcd,
    registry: omitUndefined({ prefix, layout, leaseTtl }),
    locks: resolveLockOptions(locks),
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
