import {
  configOptionIssues,
  configOptionsShape,
  invalidConfigError,
  keyIssue,
  resolveConfigOptions,
  validateOptions,
  type ConfigOptions,
  type KeyRules,
  type OptionIssue,
  type OptionShape,
  type ResolvedConfigOptions,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import {
  etcdClientOptionsShape,
  resolveEtcd,
  withoutSecret,
  type EtcdClientOptions,
} from '../client/etcd-options.js';
import { EtcdConfigStore } from './etcd-config.store.js';

/** What `etcdConfig` takes; `{}` reads `config/application/` of the etcd at 127.0.0.1:2379. */
export interface EtcdConfigOptions extends ConfigOptions, EtcdClientOptions {}

const NAMES = { registry: 'etcd', module: 'EtcdModule', factory: 'etcdConfig' };

const keyRules: KeyRules = {
  issue: keyIssue,
  prefixHint:
    "must be the first part of a key, without a slash at its end, such as 'config' or '/teams/shop/config'",
};

export const etcdConfigOptionsSchema = z.strictObject(
  { ...etcdClientOptionsShape, ...configOptionsShape(keyRules) } satisfies OptionShape<EtcdConfigOptions>,
  { error: 'must be an object; {} takes every default' },
);

/** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment */
export function resolveEtcdConfig(
  options: EtcdConfigOptions,
  environment: NodeJS.ProcessEnv,
): ResolvedConfigOptions {
  const issues: OptionIssue[] = validateOptions(etcdConfigOptionsSchema, options).map(withoutSecret);
  if (issues.length > 0) throw invalidConfigError(NAMES.factory, issues);
  const { etcd, issues: ofClient } = resolveEtcd(options, environment);
  issues.push(...ofClient, ...configOptionIssues(options, environment, keyRules));
  if (issues.length > 0 || !etcd) throw invalidConfigError(NAMES.factory, issues);
  return resolveConfigOptions(options, environment, {
    names: NAMES,
    openStore: () => new EtcdConfigStore(etcd),
  });
}
