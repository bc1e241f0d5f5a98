// Live configuration, for adapters and what they have in common. An entry of its own, since it needs `@nestjs/config`.
export { configFactory } from './config/config-factory.js';
export type { ConfigOf, InputOf, LiveConfigFactory, Partly } from './config/config-factory.js';
export type { ConfigOptions } from './config/config-options.js';
export type { ConfigFormat } from './config/layers/layer-paths.js';
export type { ConfigSchema } from './config/values/validate-values.js';
export { LiveConfig } from './config/live-config.js';
export { ConfigValue } from './config/config-value.decorator.js';
export { OnConfigChange } from './config/on-config-change.decorator.js';
export type { ConfigChange, ConfigExplanation, ConfigOrigin } from './config/config-change.js';
