export { DiscoveryModule } from './discovery.module.js';
export type { DiscoveryModuleAsyncOptions, DiscoveryModuleOptions } from './discovery.module.js';
export { discoveryOptionsShape } from './discovery-options.js';
export type {
  CatalogUseOptions,
  DiscoveryEndpointOptions,
  DiscoveryOptions,
  HealthOptions,
  LoadOptions,
  ShutdownOptions,
} from './discovery-options.js';
export { DiscoveryService } from './discovery.service.js';

export { DiscoveryError } from './errors/discovery-error.js';
export { reasonOf } from './errors/error-message.js';
export type { DiscoveryErrorCode, DiscoveryErrorDetails } from './errors/discovery-error.js';
export { freezeInstance, hostAndPort, instanceKey, originOf } from './registry/service-instance.js';
export type { InstanceStatus, ServiceInstance } from './registry/service-instance.js';
export type { FailoverOptions, ServiceQuery, SourceQuery } from './registry/service-query.js';
export { InstanceSource } from './registry/instance-source.js';
export type { ConnectionUse, InstanceList, ListSource } from './registry/instance-source.js';
export { StaticRegistry } from './registry/static.source.js';
export type { StaticInstance, StaticServices } from './registry/static.source.js';
export { DnsRegistry } from './registry/dns.source.js';
export type { DnsRegistryOptions } from './registry/dns.source.js';
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
export { ServiceRegistry } from './registry/service-registry.js';
export type { WorkerReporter, WorkerReporterSource } from './registry/worker-reporter.js';
export type { RegistrationChange } from './registry/service-registry.js';
export { InMemoryRegistry } from './testing/in-memory.registry.js';

export { formatDuration, parseDuration, toMilliseconds } from './configuration/duration.js';
export type { Duration } from './configuration/duration.js';
export {
  configInvalid,
  durationSchema,
  findMistakes,
  text,
  wholeNumber,
} from './configuration/validate-options.js';
export type { OptionMistake } from './configuration/validate-options.js';

export { abortable } from './timing/with-timeout.js';
export { backoffPause } from './timing/backoff.js';
export { abortReason, pause, systemClock } from './timing/clock.js';
export type { Clock, Random } from './timing/clock.js';
export { scoped } from './timing/scoped-signal.js';

export type { ServiceSnapshot, SnapshotSource } from './catalog/service-snapshot.js';
export type { ListDifference } from './catalog/diff-lists.js';
export type {
  ExplainedInstance,
  InstanceCalls,
  InstanceVerdict,
  ServiceExplanation,
} from './catalog/explanation.js';
export type { WatchReport } from './catalog/watch-report.js';
export { CallError } from './calling/call-error.js';
export type {
  AttemptRecord,
  CallDefaults,
  CallOptions,
  CallReport,
  FallbackOptions,
  HedgeOptions,
} from './calling/options/call-options.js';
export { SERVICE_HEADER, TIMEOUT_HEADER } from './calling/call-headers.js';
export type {
  BulkheadOptions,
  CircuitBreakerOptions,
  ClientsOptions,
  EjectionOptions,
  RetryBudgetOptions,
  ServicePolicy,
} from './calling/options/client-options.js';
export { countsAsFailure } from './calling/attempt-result.js';
export type { AttemptOutcome, IsFailure } from './calling/attempt-result.js';
export { LoadBalancer } from './balancing/load-balancer.js';
export type { PickContext, Target } from './balancing/load-balancer.js';
export type { Strategy, StrategyName } from './balancing/strategies/strategies.js';
export type { Attempt, AttemptContext } from './calling/running-attempt.js';
export { isNotSent } from './calling/not-sent.js';

export { HealthContributor } from './health/health-contributor.decorator.js';
export type { HealthContributorOptions, HealthGroup } from './health/health-contributor.decorator.js';
export type { HealthDetails } from './health/health-routes.js';
export { HealthService } from './health/health.service.js';

export { ServiceClient } from './http/service-client.decorator.js';
export type { ServiceClientDecorator } from './http/service-client.decorator.js';
export { ServiceClientFactory } from './http/service-client.factory.js';
export type { ServiceClientOptions, ServiceRequestOptions } from './http/service-client.options.js';
export { getServiceClientToken } from './http/service-client.token.js';

export { RegistrationService } from './registration/registration.service.js';
export type { InstanceRegistrationStatus, RegistrationStatus } from './registration/registration-status.js';
export type { ServiceOptions } from './registration/options/service-options.js';
export type {
  AliasCheckOptions,
  CheckOptions,
  GrpcCheckOptions,
  HttpCheckOptions,
  ScriptCheckOptions,
  TcpCheckOptions,
  TtlCheckOptions,
} from './registration/options/check-options.js';

export { RegistryHealthIndicator } from './indicators/registry.health-indicator.js';
export { ServiceHealthIndicator } from './indicators/service.health-indicator.js';
export type { ServiceAvailabilityOptions } from './indicators/service.health-indicator.js';

export { DiscoveryEvents } from './events/discovery-events.js';
export type { TimedDiscoveryEvent } from './events/discovery-events.js';
export type { DiscoveryEvent, DiscoveryEventType } from './events/discovery-event.js';
