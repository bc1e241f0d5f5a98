// What the author of a registry or of an instance source uses, besides the entry for applications.
export { DiscoveryModule } from './discovery.module.js';
export type { DiscoveryModuleAsyncOptions } from './discovery.module.js';
export { discoveryOptionsShape } from './discovery-options.js';
export type { DiscoveryModuleOptions } from './discovery-options.js';

export { ServiceRegistry } from './registry/service-registry.js';
export type { RegistrationChange } from './registry/service-registry.js';
export { InstanceSource } from './registry/instance-source.js';
export type {
  ConnectionUsage,
  InstanceList,
  InvalidInstance,
  ListSource,
} from './registry/instance-source.js';
export type { SourceQuery } from './registry/service-query.js';
export { freezeInstance, hostAndPort, instanceKey, isHost } from './registry/service-instance.js';
export type {
  AliasCheck,
  CheckStatus,
  GrpcCheck,
  HttpCheck,
  RegistrationCheck,
  RegistrationRecord,
  ScriptCheck,
  ServiceRegistration,
  TaggedAddress,
  TcpCheck,
  TtlCheck,
} from './registry/service-registration.js';
export type { RegistryRequest } from './registry/registry-request.js';
export type { RegistrySwitch } from './registry/registry-switch.js';
export { Interner } from './registry/interner.js';
export { RegistryListeners } from './registry/registry-listeners.js';
export { detachAsyncContext } from './timing/detach-async-context.js';
export { untraced } from './telemetry/untraced.js';
export { ReconnectSignal } from './registry/reconnect-signal.js';
export { SharedWatches } from './registry/shared-watches.js';
export { WatchLoop } from './registry/watch-loop.js';
export type { WatchLoopOptions } from './registry/watch-loop.js';
export type { WorkerReporter, WorkerReporterSource } from './registry/worker-reporter.js';

export { isReachable, isRefused, isRetryable, shutDownError } from './errors/discovery-error.js';
export { NamesItsModule, withProvider } from './errors/provided-by.js';
export { aggregatedErrors, causeChain, errorMessage, isError } from './errors/error-message.js';

export { asyncOptionsProviders } from './configuration/async-options.js';
export type { AsyncOptions, OptionsReader } from './configuration/async-options.js';
export { decodedText } from './configuration/decoded-text.js';
export { formatDuration, toMilliseconds } from './configuration/duration.js';
export {
  durationSchema,
  integer,
  invalidConfigError,
  nonEmptyString,
  validateOptions,
} from './configuration/validate-options.js';
export type { OptionIssue, OptionShape } from './configuration/validate-options.js';
export { omitUndefined } from './configuration/omit-undefined.js';
export { withoutUrlSecrets } from './configuration/without-url-secrets.js';
export { readSetting } from './configuration/read-setting.js';
export { certificateFiles } from './certificates/certificate-files.js';
export type { CertificateFiles, CertificatePaths } from './certificates/certificate-files.js';
export type { ChangingCertificates, ServiceMesh } from './certificates/service-mesh.js';
export { toContextOptions, toTlsOptions } from './certificates/tls-settings.js';
export type { TlsConnectOptions, TlsSettings } from './certificates/tls-settings.js';
export { Secret } from './configuration/secret.js';
export { isStandardSchema, issuePath } from './configuration/standard-schema.js';
export type { StandardIssue, StandardSchema } from './configuration/standard-schema.js';

export { IsolatedObservable } from './events/isolated-observable.js';
export { fieldsOf, loggerTakesFields } from './events/event-log.js';
export { providedInstances } from './scanning/provided-instances.js';
export type { ProvidedClass, ProvidedInstances } from './scanning/provided-instances.js';
export { AlertClaims, CLAIMS_PREFIX } from './alerts/alert-sink.js';
export type { AlertClaim } from './alerts/alert-sink.js';
export { assertPicksOptions, discoveryPicks, meshOf, tlsTo } from './discovery-picks.js';
export type { PicksOptions } from './discovery-picks.js';
export { callOneWay } from './one-way-call.js';
export { rejectionStatus } from './calling/channel-call.js';
export type { ChannelCall } from './calling/channel-call.js';
export type { RpcDescription } from './calling/call-observer.js';
export { TargetPicks } from './calling/target-picks.js';
export type { AttemptEnding, AttemptShape, TargetPickRequest } from './calling/target-picks.js';
export { recipientHeaders } from './calling/call-headers.js';
export { deadlineOf, incomingCall, runInCall } from './calling/incoming-call.js';
export { CallReceiver, ReceivedCall } from './receiving/call-receiver.js';
export type { CallReceiverOptions } from './receiving/call-receiver.js';
export { isToldTo } from './receiving/load/load-exposure.js';
export { AppServers } from './registration/location/app-servers.js';
export type { MicroserviceSupport, RpcTarget } from './registration/location/app-servers.js';
export type { ReceivedHeaders } from './receiving/received-context.js';
export type { IncomingCall, TravellingContext } from './calling/incoming-call.js';
export { ratesBetween } from './calling/call-statistics.js';
export type { CallCounts } from './calling/call-statistics.js';
export { AppInspector } from './introspection/app-inspector.js';
export type { InspectedService } from './introspection/app-inspector.js';
export { isExposedTo } from './health/exposure.js';
export { isCrossSite } from './receiving/cross-site.js';
export { isHealthRequest } from './health/health-path.js';
export { isOfRookery, READINESS_META } from './registry/service-instance.js';
export { probeTcp } from './registry/tcp-probe.js';
export { DiscoverySections } from './introspection/discovery-sections.js';
export { HealthContributors } from './health/health-contributors.js';
export type { Contributor } from './health/health-contributors.js';
export { closeNames } from './spelling/close-names.js';
export { fileNameFor, readCheckedFile, writeCheckedFile } from './storage/checked-file.js';

export { backoffDelay, describeRegistryCap } from './timing/backoff.js';
export type { BackoffOptions } from './timing/backoff.js';
export { abortReason, delay, isAborted, MAX_TIMER_MS, systemClock } from './timing/clock.js';
export type { CancelSignal, Clock, Random } from './timing/clock.js';
export { eachConcurrently } from './timing/each-concurrently.js';
export { withScopedSignal } from './timing/scoped-signal.js';
export { withAbort, withTimeout } from './timing/with-timeout.js';

export { CoordinationModule, sessionOwner } from './coordination/coordination.module.js';
export type { Coordination } from './coordination/coordination.module.js';
export { CoordinationStore } from './coordination/coordination-store.js';
export type {
  Attempt,
  Contest,
  HeldBy,
  LockContest,
  LockSession,
  SemaphoreContest,
} from './coordination/contention/contest.js';
export { BackgroundWork } from './coordination/contention/background-work.js';
export { Lease } from './coordination/lease/lease.js';
export type { LeaseCalls, LeaseOptions } from './coordination/lease/lease.js';
export type { LockHolder } from './coordination/lock/lock-holder.js';
export type { LockTableOptions } from './coordination/contention/lock-table.js';
export { lockOptionsShape, resolveLockOptions } from './coordination/lock-options.js';
export type { ResolvedLockOptions } from './coordination/lock-options.js';
export { keyOf } from './kv/guarded-operation.js';
export { keyIssue } from './kv/key-issue.js';

export type { ConfigNames, ConfigStore, KeyTree, StoredKey } from './config/config-store.js';
export { configOptionIssues, configOptionsShape, resolveConfigOptions } from './config/config-options.js';
export type { ConfigOptions, KeyRules, ResolvedConfigOptions } from './config/config-options.js';
export { LiveConfigModule } from './config/live-config.module.js';
export { LiveConfig } from './config/live-config.js';
// What a command that checks, lists or copies configuration uses.
export { formatConfigPath, parseConfigPath } from './config/config-path.js';
export { configSourceOf } from './config/config-source.js';
export { ignoredKeys } from './config/layers/read-layer.js';
export type { LayerKeys } from './config/live/build-version.js';
export { createBuilder } from './config/live/create-builder.js';
export { mentionsSecret, SECRET_SHOWN, SecretPaths } from './config/secret-paths.js';
export { unusedValues } from './config/unused-values.js';
export { brief } from './config/values/describe-issue.js';
export type { ConfigSchema } from './config/values/validate-values.js';
