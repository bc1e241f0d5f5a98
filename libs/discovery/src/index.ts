// What an application uses. Authors of a registry use `adapter.ts`, tests use `testing/index.ts`.
export { DiscoveryService } from './discovery.service.js';
export { discoveryAgent } from './discovery-agent.js';
export type { DiscoveryAgentOptions } from './discovery-agent.js';
export { discoveryDispatcher, discoveryFetch } from './discovery-dispatcher.js';
export type { DiscoveryDispatcher, DiscoveryDispatcherOptions } from './discovery-dispatcher.js';
export type {
  DiscoveryEndpointOptions,
  DiscoveryOptions,
  HealthOptions,
  LoadOptions,
  LookupOptions,
  ShutdownOptions,
} from './discovery-options.js';
export type { ContextOptions } from './receiving/context-options.js';
export { LoadReporter } from './receiving/load/load-reporter.js';
export type { LoadReport } from './receiving/load/load-report.js';
export type { LoadSheddingOptions } from './receiving/shedding/shedding-options.js';
export type { LoadExposure } from './receiving/load/load-exposure.js';
export type { Duration } from './configuration/duration.js';

export { DiscoveryError } from './errors/discovery-error.js';
export type { DiscoveryErrorDetails } from './errors/discovery-error.js';
export type { DiscoveryErrorCode } from './errors/error-codes.js';

export type { InstanceStatus, ServiceInstance } from './registry/service-instance.js';
export type { FailoverOptions, ServiceQuery } from './registry/service-query.js';
export { StaticSource } from './registry/static.source.js';
export type { StaticInstance, StaticServices } from './registry/static.source.js';
export { DnsSource } from './registry/dns.source.js';
export type { DnsSourceOptions } from './registry/dns.source.js';

export type { ServiceSnapshot, SnapshotSource } from './catalog/service-snapshot.js';
export type { ListChanges } from './catalog/diff-lists.js';
export type {
  ExplainedInstance,
  InstanceCalls,
  InstanceState,
  ServiceExplanation,
} from './catalog/explanation.js';
export type { WatchReport } from './catalog/watch-report.js';

export { CallError } from './calling/call-error.js';
export { ADDRESS_HEADER, SERVICE_HEADER, TIMEOUT_HEADER } from './calling/call-headers.js';
export { countsAsFailure } from './calling/failure-rules.js';
export type { AttemptOutcome, IsFailure } from './calling/failure-rules.js';
export { isNotSent } from './calling/not-sent.js';
export type { Attempt, AttemptContext } from './calling/running-attempt.js';
export type {
  AttemptRecord,
  CallDefaults,
  CallOptions,
  CallReport,
  FallbackOptions,
  HedgeOptions,
} from './calling/options/call-options.js';
export { callReportOf } from './http/call-report-of.js';
export type { Certificates, CertificateSource } from './certificates/certificate-source.js';
export type { CertificatePaths } from './certificates/certificate-files.js';
export { renewServerCertificates } from './certificates/renew-server-certificates.js';
export type { RenewServerOptions } from './certificates/renew-server-certificates.js';
export { Secret } from './configuration/secret.js';
export type { ConnectionOptions, ServiceTlsOptions } from './calling/options/connection-options.js';
export type { HttpDefaults } from './calling/options/http-options.js';
export type {
  BulkheadOptions,
  CircuitBreakerOptions,
  ClientsOptions,
  OutlierDetectionOptions,
  RetryBudgetOptions,
  ServicePolicy,
} from './calling/options/client-options.js';
export { LoadBalancer } from './balancing/load-balancer.js';
export type { PickContext, Target } from './balancing/load-balancer.js';
export type { ReportedLoad } from './balancing/target/reported-load.js';
export type { Strategy, StrategyName } from './balancing/strategies/strategies.js';

export { ServiceClient } from './http/service-client.decorator.js';
export type { ServiceClientDecorator } from './http/service-client.decorator.js';
export { ServiceClientFactory } from './http/service-client.factory.js';
export type { ServiceClientOptions, ServiceRequestOptions } from './http/service-client.options.js';
export { getServiceClientToken } from './http/service-client.token.js';
export { ServiceClientsModule } from './http/service-clients.module.js';
export type { ServiceClientFeature } from './http/service-clients.module.js';

export { HealthContributor } from './health/health-contributor.decorator.js';
export type { HealthContributorOptions, HealthGroup } from './health/health-contributor.decorator.js';
export type { Exposure } from './health/exposure.js';
export { HealthService } from './health/health.service.js';
export { RegistryHealthIndicator } from './indicators/registry.health-indicator.js';
export { ServiceHealthIndicator } from './indicators/service.health-indicator.js';
export type { ServiceAvailabilityOptions } from './indicators/service.health-indicator.js';

export { RegistrationService } from './registration/registration.service.js';
export type { InstanceRegistrationStatus, RegistrationStatus } from './registration/registration-status.js';
export type {
  ServiceOptions,
  TaggedAddressOptions,
  WeightOptions,
} from './registration/options/service-options.js';
export type {
  AliasCheckOptions,
  CheckOptions,
  GrpcCheckOptions,
  HttpCheckOptions,
  ScriptCheckOptions,
  TcpCheckOptions,
  TtlCheckOptions,
} from './registration/options/check-options.js';

export { AlertsModule } from './alerts/alerts.module.js';
export type { AlertsAsyncOptions, AlertsOptions } from './alerts/alerts-options.js';
export type { Alert, AlertFinding, AlertSeverity } from './alerts/alert.js';
export type { AlertRule, AlertTiming } from './alerts/alert-rule.js';
export type { AlertSink } from './alerts/alert-sink.js';
export type { ObservedApp, ObservedInstance, ObservedService } from './alerts/observed-app.js';
export type {
  AlertRuleOptions,
  CommonRuleOptions,
  ConfigRuleOptions,
  ErrorsRuleOptions,
  FlappingRuleOptions,
  InstancesRuleOptions,
  LatencyRuleOptions,
  ListAgeRuleOptions,
  LockRuleOptions,
  NeverPassedRuleOptions,
  RegistrationRuleOptions,
} from './alerts/rules/rule-options.js';
export { alertmanagerSink } from './alerts/sinks/alertmanager.sink.js';
export type { AlertmanagerOptions } from './alerts/sinks/alertmanager.sink.js';
export { webhookSink } from './alerts/sinks/webhook.sink.js';
export type { WebhookOptions } from './alerts/sinks/webhook.sink.js';
export type { WebhookFormat } from './alerts/sinks/webhook-formats.js';
export type { CallRates } from './calling/call-statistics.js';

export { DiscoveryEvents } from './events/discovery-events.js';
export type { DiscoveryEvent, DiscoveryEventType, TimedDiscoveryEvent } from './events/discovery-event.js';
export type { TelemetryOptions } from './telemetry/telemetry-options.js';
export type { EventOptions } from './events/event-options.js';
export { OnDiscoveryEvent } from './events/on-discovery-event.decorator.js';
export type { EventOf, EventPattern } from './events/event-pattern.js';

export { LockService } from './coordination/lock/lock.service.js';
export { Locked } from './coordination/lock/locked.decorator.js';
export { currentLock } from './coordination/contention/current-lock.js';
export type { Lock } from './coordination/contention/lock.js';
export type { LockAcquireOptions } from './coordination/contention/lock-table.js';
export type { LockSession } from './coordination/contention/contest.js';
export type { GuardedOperation, StoredValue } from './kv/guarded-operation.js';
export type { LockExplanation, LockReport } from './coordination/lock/explain-lock.js';
export type { LockHolder } from './coordination/lock/lock-holder.js';
export type { LockOptions } from './coordination/lock-options.js';
export type { Semaphore } from './coordination/semaphore/semaphore.js';
export { LeaderElections } from './coordination/election/leader-elections.js';
export type { ElectionsExplanation } from './coordination/election/leader-elections.js';
export type { LeaderElection } from './coordination/election/leader-election.js';
export { OnlyLeader } from './coordination/election/only-leader.decorator.js';
export type { OnlyLeaderOptions } from './coordination/election/only-leader.decorator.js';
export type { JobReport } from './coordination/election/leader-jobs.js';
