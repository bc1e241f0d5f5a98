// Live configuration from etcd. An entry of its own, since it needs `@nestjs/config`.
export { etcdConfig } from './config/etcd-config.factory.js';
export type { EtcdConfigOptions } from './config/etcd-config-options.js';
export { ConfigValue, LiveConfig as EtcdConfig, OnConfigChange } from '@rookery/discovery/config';
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
