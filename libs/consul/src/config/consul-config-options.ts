import {
  configOptionIssues,
  configOptionsShape,
  invalidConfigError,
  nonEmptyString,
  resolveConfigOptions,
  validateOptions,
  type Clock,
  type ConfigOptions,
  type KeyRules,
  type OptionIssue,
  type OptionShape,
  type ResolvedConfigOptions,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import { resolveAgent, type AgentOptions, type ResolvedAgent } from '../client/agent-options.js';
import { keyIssue } from '../client/api/kv-key.js';
import { ConsulConfigStore } from './consul-config.store.js';

/** What `consulConfig` takes; `{}` reads `config/application/` of the agent at 127.0.0.1:8500. */
export interface ConsulConfigOptions extends ConfigOptions {
  /** As in `ConsulModule.forRoot`. Default: the environment of the `consul` CLI. */
  agent?: AgentOptions;
  /** Default: that of the agent. */
  datacenter?: string;
}

export interface ResolvedConsulConfig extends ResolvedConfigOptions {
  readonly agent: ResolvedAgent;
  readonly datacenter: string | undefined;
}

const NAMES = { registry: 'Consul', module: 'ConsulModule', factory: 'consulConfig' };

const keyRules: KeyRules = {
  issue: keyIssue,
  prefixHint:
    "must be the first part of a key, without a slash at its beginning and end, such as 'config' or 'teams/shop/config'",
};

export const consulConfigOptionsSchema = z.strictObject(
  {
    // Validated together with the environment, by resolveAgent.
    agent: z
      .looseObject({}, { error: "must be an object such as { url: 'http://127.0.0.1:8500' }" })
      .optional(),
    ...configOptionsShape(keyRules),
    datacenter: nonEmptyString("must be the name of a datacenter, such as 'dc2'").optional(),
  } satisfies OptionShape<ConsulConfigOptions>,
  { error: 'must be an object; {} takes every default' },
);

/** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment */
export function resolveConsulConfig(
  options: ConsulConfigOptions,
  environment: NodeJS.ProcessEnv,
): ResolvedConsulConfig {
  const issues: OptionIssue[] = validateOptions(consulConfigOptionsSchema, options);
  const isObject =
    typeof options === 'object' && !issues.some(({ field }) => field === 'agent' || field === 'options');
  const { agent, issues: ofAgent = [] } = isObject ? resolveAgent(options.agent, environment) : {};
  issues.push(...ofAgent);
  if (isObject) issues.push(...configOptionIssues(options, environment, keyRules));
  if (issues.length > 0 || !agent) throw invalidConfigError(NAMES.factory, issues);
  const openStore = (trees: number, clock: Clock): ConsulConfigStore =>
    new ConsulConfigStore(agent, options.datacenter, { trees, clock });
  const resolved = resolveConfigOptions(options, environment, { names: NAMES, openStore });
  return { ...resolved, agent, datacenter: options.datacenter };
}

/** Whether they are of `consulConfig`, and not of another registry's. */
export function isOfConsul(options: ResolvedConfigOptions): options is ResolvedConsulConfig {
  return options.names.factory === NAMES.factory;
}
