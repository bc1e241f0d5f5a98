import type { StandardSchema } from '@rookery/discovery/adapter';
import {
  configFactory,
  type ConfigOf,
  type ConfigSchema,
  type InputOf,
  type LiveConfigFactory,
  type Partly,
} from '@rookery/discovery/config';
import { resolveConsulConfig, type ConsulConfigOptions } from './consul-config-options.js';

/**
 * Loads configuration from Consul's key-value store, for `load` of `@nestjs/config`, and keeps it up to date. It has a client of its own, so that
 * it works before any module is up. `ConsulModule` adds `ConsulConfig`, `@ConfigValue`, `@OnConfigChange`, events and health.
 *
 * @example
 * ```ts
 * ConfigModule.forRoot({
 *   isGlobal: true,
 *   load: [consulConfig({ name: 'inventory', profiles: ['prod'], schema: z.object({ limits: z.object({ rate: z.number() }) }) })],
 * });
 * ```
 * @throws DiscoveryError when the app is created: `RK_CONFIG_INVALID` with every wrong option, or every value that the schema refuses
 */
export function consulConfig<S extends ConfigSchema = StandardSchema>(
  options: ConsulConfigOptions & { readonly schema?: S; readonly defaults?: Partly<InputOf<S>> } = {},
): LiveConfigFactory<ConfigOf<S> & object> {
  return configFactory((environment) => resolveConsulConfig(options, environment), options.registerAs);
}
