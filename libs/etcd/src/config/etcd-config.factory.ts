import type { StandardSchema } from '@rookery/discovery/adapter';
import {
  configFactory,
  type ConfigOf,
  type ConfigSchema,
  type InputOf,
  type LiveConfigFactory,
  type Partly,
} from '@rookery/discovery/config';
import { resolveEtcdConfig, type EtcdConfigOptions } from './etcd-config-options.js';

/**
 * Loads configuration from etcd, for `load` of `@nestjs/config`, and keeps it up to date. It has a client of its own, so that it works before any
 * module is up. `EtcdModule` adds `EtcdConfig`, `@ConfigValue`, `@OnConfigChange`, events and health.
 *
 * @example
 * ```ts
 * ConfigModule.forRoot({
 *   isGlobal: true,
 *   load: [etcdConfig({ name: 'inventory', profiles: ['prod'], schema: z.object({ limits: z.object({ rate: z.number() }) }) })],
 * });
 * ```
 * @throws DiscoveryError when the app is created: `RK_CONFIG_INVALID` with every wrong option, or every value that the schema refuses
 */
export function etcdConfig<S extends ConfigSchema = StandardSchema>(
  options: EtcdConfigOptions & { readonly schema?: S; readonly defaults?: Partly<InputOf<S>> } = {},
): LiveConfigFactory<ConfigOf<S> & object> {
  return configFactory((environment) => resolveEtcdConfig(options, environment), options.registerAs);
}
