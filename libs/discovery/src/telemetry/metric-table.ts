/** A metric, as the documentation has it. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'up-down-counter' | 'gauge' | 'histogram';
  /** In UCUM, as OpenTelemetry wants it. */
  readonly unit: string;
  /** Names of attributes; what values they have is in `ATTRIBUTES`. */
  readonly attributes: readonly string[];
  readonly description: string;
}

/**
 * Every metric of this library. Those of the table in `docs/telemetry.md`, which a test compares.
 *
 * `http.client.request.duration` and `rpc.client.call.duration` are those of OpenTelemetry's semantic conventions, 1.45.0.
 */
export const METRICS = {
  requestDuration: {
    name: 'http.client.request.duration',
    type: 'histogram',
    unit: 's',
    attributes: [
      'http.request.method',
      'server.address',
      'server.port',
      'http.response.status_code',
      'error.type',
    ],
    description: 'Attempts over HTTP: one for each instance that a call went to',
  },
  rpcDuration: {
    name: 'rpc.client.call.duration',
    type: 'histogram',
    unit: 's',
    attributes: ['rpc.system.name', 'rpc.method', 'server.address', 'rpc.response.status_code', 'error.type'],
    description: 'Calls over gRPC, after all attempts',
  },
  calls: {
    name: 'rookery.calls',
    type: 'counter',
    unit: '{call}',
    attributes: ['rookery.service', 'rookery.call.outcome', 'error.type'],
    description: 'Calls as the app sees them, after all attempts',
  },
  callsActive: {
    name: 'rookery.call.active',
    type: 'gauge',
    unit: '{attempt}',
    attributes: ['rookery.service'],
    description: 'Attempts under way, open response streams among them',
  },
  retries: {
    name: 'rookery.call.retries',
    type: 'counter',
    unit: '{attempt}',
    attributes: ['rookery.service', 'rookery.retry.kind'],
    description: 'Attempts after the first one of a call, hedges left out',
  },
  hedges: {
    name: 'rookery.call.hedges',
    type: 'counter',
    unit: '{attempt}',
    attributes: ['rookery.service', 'rookery.hedge.won'],
    description: 'Second attempts beside a slow first one',
  },
  fallbacks: {
    name: 'rookery.call.fallbacks',
    type: 'counter',
    unit: '{call}',
    attributes: ['rookery.service'],
    description: 'Calls whose result came from their fallback',
  },
  retryBudget: {
    name: 'rookery.retry_budget.available',
    type: 'gauge',
    unit: '{attempt}',
    attributes: ['rookery.service'],
    description: 'Retries that the retry budget would allow now',
  },
  circuitOpen: {
    name: 'rookery.circuit_breaker.open',
    type: 'gauge',
    unit: '{circuit}',
    attributes: ['rookery.service'],
    description: '1 while the circuit breaker rejects calls, else 0; absent without one',
  },
  bulkheadLimit: {
    name: 'rookery.bulkhead.limit',
    type: 'gauge',
    unit: '{call}',
    attributes: ['rookery.service'],
    description: 'Calls that may be in flight at once; absent without a bulkhead',
  },
  bulkheadActive: {
    name: 'rookery.bulkhead.active',
    type: 'gauge',
    unit: '{call}',
    attributes: ['rookery.service'],
    description: 'Calls in flight that the bulkhead counts',
  },
  bulkheadQueued: {
    name: 'rookery.bulkhead.queued',
    type: 'gauge',
    unit: '{call}',
    attributes: ['rookery.service'],
    description: 'Calls that wait in the queue of the bulkhead',
  },
  instances: {
    name: 'rookery.instances',
    type: 'gauge',
    unit: '{instance}',
    attributes: ['rookery.service', 'rookery.instance.status'],
    description: 'Instances that the registry lists, by the status of their checks',
  },
  instancesUsable: {
    name: 'rookery.instances.usable',
    type: 'gauge',
    unit: '{instance}',
    attributes: ['rookery.service'],
    description: 'Instances that calls may go to, ejected ones among them',
  },
  instancesEjected: {
    name: 'rookery.instances.ejected',
    type: 'gauge',
    unit: '{instance}',
    attributes: ['rookery.service'],
    description: 'Instances that outlier detection keeps calls from',
  },
  ejections: {
    name: 'rookery.ejections',
    type: 'counter',
    unit: '{ejection}',
    attributes: ['rookery.service'],
    description: 'Instances that were ejected',
  },
  snapshotAge: {
    name: 'rookery.snapshot.age',
    type: 'gauge',
    unit: 's',
    attributes: ['rookery.service'],
    description: 'Time since the registry last confirmed the list: at most about 64 s while all is well',
  },
  watchUpdates: {
    name: 'rookery.watch.updates',
    type: 'counter',
    unit: '{update}',
    attributes: ['rookery.service'],
    description: 'Lists that the registry sent, changed or not',
  },
  watchSpurious: {
    name: 'rookery.watch.spurious',
    type: 'counter',
    unit: '{update}',
    attributes: ['rookery.service'],
    description: 'Of these, lists without a change',
  },
  watchReconnects: {
    name: 'rookery.watch.reconnects',
    type: 'counter',
    unit: '{reconnect}',
    attributes: ['rookery.service'],
    description: 'Watches that were started again after an error',
  },
  registryRequests: {
    name: 'rookery.registry.request.duration',
    type: 'histogram',
    unit: 's',
    attributes: [
      'rookery.registry.operation',
      'rookery.registry.blocking',
      'http.response.status_code',
      'error.type',
    ],
    description:
      'Requests to the registry. Those that wait for a change (blocking) take as long as there is none',
  },
  registered: {
    name: 'rookery.registration.registered',
    type: 'gauge',
    unit: '{registration}',
    attributes: ['rookery.service'],
    description: '1 while this app is registered as the service, and the registry confirms it; else 0',
  },
  repairs: {
    name: 'rookery.registration.repairs',
    type: 'counter',
    unit: '{repair}',
    attributes: ['rookery.service'],
    description: 'Times that a lost or changed registration was restored',
  },
  lockWait: {
    name: 'rookery.lock.wait.duration',
    type: 'histogram',
    unit: 's',
    attributes: [],
    description: 'Time until a lock, a permit or a leadership was acquired',
  },
  locksHeld: {
    name: 'rookery.locks.held',
    type: 'up-down-counter',
    unit: '{lock}',
    attributes: [],
    description: 'Locks, permits and leaderships that this process holds',
  },
  locksLost: {
    name: 'rookery.locks.lost',
    type: 'counter',
    unit: '{lock}',
    attributes: [],
    description: 'Those that it lost before it released them',
  },
  configReloads: {
    name: 'rookery.config.reloads',
    type: 'counter',
    unit: '{reload}',
    attributes: ['rookery.config.result'],
    description: 'Changes of the live configuration, applied or rejected',
  },
  configRejected: {
    name: 'rookery.config.rejected',
    type: 'up-down-counter',
    unit: '{key}',
    attributes: [],
    description: 'Keys whose content cannot be used at present, so that the last good values stay',
  },
  events: {
    name: 'rookery.events',
    type: 'counter',
    unit: '{event}',
    attributes: ['rookery.event.type'],
    description: 'Events of DiscoveryEvents',
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

/** What the attributes are. */
export const ATTRIBUTES: Readonly<Record<string, string>> = {
  'rookery.service':
    'Name of the service; `_OTHER` for those after the first 200, since names may come from the users of an app',
  'server.address': 'As `rookery.service`',
  'server.port': '80 or 443, as the URL of a service has no port',
  'http.request.method': 'One of RFC 9110 and RFC 5789, else `_OTHER`',
  'http.response.status_code': 'A number; absent without a response',
  'rpc.system.name': '`grpc`',
  'rpc.method': 'Fully qualified, `library.Library/Find`; `_OTHER` for those after the first 500',
  'rpc.response.status_code': 'Its name: `OK`, `UNAVAILABLE`',
  'error.type':
    'A status of 400 and more, or of gRPC, by its name; the code of the error (`ECONNREFUSED`, `RK_CALL_TIMEOUT`), or `timeout`, `cancelled`; else the name of its class; `_OTHER` for those after the first 50',
  'rookery.call.outcome':
    '`success`; `failure` (by `isFailure`, or an error); `rejected` (by the circuit breaker, the bulkhead, or because there is no instance); `cancelled` (by the caller)',
  'rookery.retry.kind': '`retry`: it had been sent. `transparent-retry`: nothing had been sent',
  'rookery.hedge.won': '`true`: its response was the first',
  'rookery.instance.status': '`passing`, `warning`, `critical` or `maintenance`',
  'rookery.registry.operation': 'Method and endpoint, without names and keys: `GET health/service`',
  'rookery.registry.blocking': '`true`: it waits for a change',
  'rookery.config.result': '`applied` or `rejected`',
  'rookery.event.type': 'Type of the event',
};

/** Seconds; those of the semantic conventions for durations of requests. */
export const DURATION_BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
