import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import {
  configInvalid,
  discoveryOptionsShape,
  findMistakes,
  type DiscoveryOptions,
} from '@rookery/discovery';
import { z } from 'zod';
import { resolveAgent, type AgentOptions, type ResolvedAgent } from './client/agent-options.js';

/** What `ConsulModule.forRoot` takes; `{}` discovers through the agent at 127.0.0.1:8500. */
export interface ConsulModuleOptions extends DiscoveryOptions {
  agent?: AgentOptions;
}

/** For `useClass` and `useExisting`. */
export interface ConsulOptionsFactory {
  createConsulOptions(): ConsulModuleOptions | Promise<ConsulModuleOptions>;
}

/** What `ConsulModule.forRootAsync` takes: one of `useFactory`, `useClass`, `useExisting`. */
export interface ConsulModuleAsyncOptions {
  imports?: ModuleMetadata['imports'];
  inject?: FactoryProvider['inject'];
  // The arguments are what `inject` names.
  useFactory?: (...args: never[]) => ConsulModuleOptions | Promise<ConsulModuleOptions>;
  useClass?: Type<ConsulOptionsFactory>;
  useExisting?: Type<ConsulOptionsFactory>;
}

/** Checked, complete, and without a readable secret. */
export interface ResolvedConsulOptions extends DiscoveryOptions {
  readonly resolvedAgent: ResolvedAgent;
}

const schema = z.strictObject(
  {
    // Checked with the environment, by resolveAgent.
    agent: z
      .looseObject({}, { error: "must be an object such as { url: 'http://127.0.0.1:8500' }" })
      .optional(),
    ...discoveryOptionsShape,
  },
  { error: 'must be an object; {} takes every default' },
);

/** @throws DiscoveryError `RK_CONFIG_INVALID` with every mistake of options and environment */
export function resolveConsulOptions(
  options: ConsulModuleOptions,
  environment: NodeJS.ProcessEnv = process.env,
): ResolvedConsulOptions {
  const mistakes = findMistakes(schema, options);
  const isObject =
    typeof options === 'object' && !mistakes.some(({ field }) => field === 'agent' || field === 'options');
  const resolution = isObject ? resolveAgent(options.agent, environment) : undefined;
  mistakes.push(...(resolution?.mistakes ?? []));
  if (mistakes.length > 0 || !resolution?.agent) throw configInvalid('ConsulModule', mistakes);
  const { agent: _, ...rest } = options;
  return { ...rest, resolvedAgent: resolution.agent };
}
