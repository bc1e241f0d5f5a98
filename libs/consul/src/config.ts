// Live configuration from Consul's key-value store. An entry of its own, since it needs `@nestjs/config`.
export { consulConfig } from './config/consul-config.factory.js';
export type { ConsulConfigOptions } from './config/consul-config-options.js';
export { ConfigValue, LiveConfig as ConsulConfig, OnConfigChange } from '@rookery/discovery/config';
export type {
  ConfigChange,
  ConfigExplanation,
  ConfigFormat,
  ConfigOf,
  ConfigOptions,
  ConfigOrigin,
  ConfigSchema,
  InputOf,
  LiveConfigFactory,
  Partly,
} from '@rookery/discovery/config';
