// The only `export *`: users install and import this package only.
export * from '@rookery/discovery';

export { EtcdModule } from './etcd.module.js';
export type { EtcdModuleAsyncOptions, EtcdModuleOptions, EtcdOptionsFactory } from './etcd-module-options.js';

export { EtcdClient } from './client/etcd-client.js';
export type { EtcdStatus } from './client/etcd-client.js';
export { CompactedError, EtcdError } from './client/etcd-error.js';
export type { EtcdAuthOptions, EtcdClientOptions, EtcdTlsOptions } from './client/etcd-options.js';
export type { EtcdRequestOptions } from './client/etcd-members.js';
export type { EtcdRange } from './client/key-range.js';
export type { EtcdEvent, EtcdKeyValue } from './client/key-value.js';
export type { EtcdWatchBatch } from './client/watch/watch-stream.js';
export type { EtcdLease, LeaseApi } from './client/api/lease.api.js';
export type {
  EtcdCompare,
  EtcdOperation,
  EtcdPutOptions,
  EtcdRead,
  EtcdReadOptions,
  EtcdTransaction,
  EtcdTransactionResult,
  KvApi,
} from './client/api/kv.api.js';

export { EtcdTransactionError } from './coordination/guarded-write.js';
export type { EtcdOperationFailure } from './coordination/guarded-write.js';

export { EtcdRegistry } from './registry/etcd.registry.js';
export type { EtcdRegistryTools } from './registry/etcd.registry.js';
export type { EtcdRegistryOptions } from './registry/registry-options.js';
export type { InstanceLayout } from './registry/instance-value.js';
