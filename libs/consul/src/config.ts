// Live configuration from Consul's key-value store. An entry of its own, since it needs `@nestjs/config`.
export { consulConfig } from './config/consul-config.factory.js';
export type { ConfigOf, ConsulConfigFactory, InputOf, Partly } from './config/consul-config.factory.js';
export type { ConsulConfigOptions } from './config/config-options.js';
export type { ConfigFormat } from './config/layers/layer-paths.js';
export type { ConfigSchema } from './config/values/validate-values.js';
export { ConsulConfig } from './config/consul-config.js';
export { ConfigValue } from './config/config-value.decorator.js';
export { OnConfigChange } from './config/on-config-change.decorator.js';
export type { ConfigChange, ConfigExplanation, ConfigOrigin } from './config/config-change.js';
