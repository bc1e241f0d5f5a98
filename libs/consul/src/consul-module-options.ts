import type { DiscoveryOptions } from '@rookery/discovery';
import {
  type AsyncOptions,
  discoveryOptionsShape,
  invalidConfigError,
  validateOptions,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import {
  connectIssues,
  connectOptionsSchema,
  connectSettings,
  type ConnectOptions,
  type ConnectSettings,
} from './connect/connect-options.js';
import { lockOptionIssues, lockOptionsSchema, type ConsulLockOptions } from './coordination/lock-options.js';
import { resolveAgent, type AgentOptions, type ResolvedAgent } from './client/agent-options.js';

/** What `ConsulModule.forRoot` takes; `{}` discovers through the agent at 127.0.0.1:8500. */
export interface ConsulModuleOptions extends DiscoveryOptions {
  agent?: AgentOptions;
  /** The sessions of locks, semaphores, elections and ephemeral keys. */
  locks?: ConsulLockOptions;
  /** Mutual TLS by Consul Connect. Default: none. */
  connect?: ConnectOptions;
}

/** For `useClass` and `useExisting`. */
export interface ConsulOptionsFactory {
  createConsulOptions(): ConsulModuleOptions | Promise<ConsulModuleOptions>;
}

/** What `ConsulModule.forRootAsync` takes: one of `useFactory`, `useClass`, `useExisting`. */
export type ConsulModuleAsyncOptions = AsyncOptions<ConsulModuleOptions, ConsulOptionsFactory>;

/** Validated and complete; secrets cannot be printed. */
export interface ResolvedConsulOptions extends DiscoveryOptions {
  readonly resolvedAgent: ResolvedAgent;
  readonly locks?: ConsulLockOptions;
  /** Undefined: the app is no part of Consul Connect. */
  readonly connectSettings: ConnectSettings | undefined;
}

const schema = z.strictObject(
  {
    // Validated together with the environment, by resolveAgent.
    agent: z
      .looseObject({}, { error: "must be an object such as { url: 'http://127.0.0.1:8500' }" })
      .optional(),
    ...discoveryOptionsShape,
    locks: lockOptionsSchema.optional(),
    connect: connectOptionsSchema.optional(),
  },
  { error: 'must be an object; {} takes every default' },
);

/** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment */
export function resolveConsulOptions(
  options: ConsulModuleOptions,
  environment: NodeJS.ProcessEnv = process.env,
): ResolvedConsulOptions {
  const issues = validateOptions(schema, options);
  const isObject =
    typeof options === 'object' && !issues.some(({ field }) => field === 'agent' || field === 'options');
  const resolution = isObject ? resolveAgent(options.agent, environment) : undefined;
  issues.push(...(resolution?.issues ?? []));
  if (isObject && !issues.some(({ field }) => field.startsWith('locks')))
    issues.push(...lockOptionIssues(options.locks));
  if (issues.length === 0) issues.push(...connectIssues(options));
  if (issues.length > 0 || !resolution?.agent) throw invalidConfigError('ConsulModule', issues);
  const { agent: _, connect: __, ...rest } = options;
  return { ...rest, resolvedAgent: resolution.agent, connectSettings: connectSettings(options) };
}
