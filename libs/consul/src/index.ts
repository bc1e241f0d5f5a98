// The only `export *`: users install and import this package only.
export * from '@rookery/discovery';

export { ConsulModule } from './consul.module.js';
export type {
  ConsulModuleAsyncOptions,
  ConsulModuleOptions,
  ConsulOptionsFactory,
} from './consul-module-options.js';

export { ConsulClient } from './client/consul-client.js';
export { ConsulError } from './client/consul-error.js';
export { nextIndex } from './client/consul-response.js';
export type { ConsulResponse } from './client/consul-response.js';
export type { AgentOptions, AgentTlsOptions } from './client/agent-options.js';
export type { LoginOptions } from './client/login-token.js';
export type { TokenProvider } from './client/token-source.js';
export type { ConsulListOptions, ConsulReadOptions, ConsulRequestOptions } from './client/request-options.js';
export type { AclRight, AclResource } from './acl/acl-right.js';
export type { AclApi } from './client/api/acl.api.js';
export type { AgentApi, AgentChecksApi } from './client/api/agent.api.js';
export type { CatalogApi } from './client/api/catalog.api.js';
export type { ConnectApi } from './client/api/connect.api.js';
export type { HealthApi, HealthServiceOptions } from './client/api/health.api.js';
export type { KvApi, KvPutOptions } from './client/api/kv.api.js';
export type { QueryApi } from './client/api/query.api.js';
export type { SessionApi } from './client/api/session.api.js';
export type { StatusApi } from './client/api/status.api.js';
export type { TxnApi } from './client/api/txn.api.js';
export type {
  AclLogin,
  AgentSelf,
  AgentService,
  CatalogDeregistration,
  CatalogNode,
  CatalogService,
  CheckDefinition,
  ConnectAuthorization,
  ConnectIntention,
  ConnectLeaf,
  ConnectRoots,
  HealthCheck,
  KvEntry,
  LoginResult,
  PreparedQueryResult,
  ServiceDefinition,
  ServiceEntry,
  Session,
  SessionDefinition,
  TxnOperation,
  TxnOutcome,
  TxnResult,
} from './client/api/types.js';

export { connectHttpsOptions } from './connect/connect-https-options.js';
export type { ConnectHttpsOptions } from './connect/connect-https-options.js';
export type { ConnectOptions } from './connect/connect-options.js';

export { ConsulRegistry } from './registry/consul.registry.js';

export { ConsulKv } from './kv/consul-kv.js';
export type { KvReadOptions, KvWatchOptions, KvWriteOptions } from './kv/consul-kv.js';
export type { KvValue } from './kv/kv-value.js';
export { bytesCodec, jsonCodec, textCodec } from './kv/kv-codec.js';
export type { KvCodec } from './kv/kv-codec.js';
export type { KvOperation } from './kv/kv-operation.js';
export { KvTransactionError } from './kv/kv-transaction-error.js';
export type { KvFailureKind, KvOperationFailure } from './kv/kv-transaction-error.js';

export type { ConsulLockOptions } from './coordination/lock-options.js';
export { ConsulSession } from './coordination/presence/consul-session.js';
export type { EphemeralKeyOptions } from './coordination/presence/consul-session.js';
export type { EphemeralKey } from './coordination/presence/ephemeral-key.js';
