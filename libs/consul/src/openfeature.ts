// Feature flags over live configuration. An entry of its own, since it needs `@openfeature/server-sdk`.
export { ConsulFlagProvider } from './flags/consul-flag.provider.js';
export type { ConsulFlagOptions } from './flags/consul-flag.provider.js';
export type { FlagDefinition, FlagRule } from './flags/evaluate-flag.js';
