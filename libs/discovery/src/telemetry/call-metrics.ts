import {
  ValueType,
  type Attributes,
  type BatchObservableResult,
  type Counter,
  type Histogram,
  type Meter,
  type Observable,
} from '@opentelemetry/api';
import type { CallOutcome } from '../balancing/target/tracked-target.js';
import type {
  AttemptKind,
  EndedAttempt,
  EndedCall,
  EndedRpc,
  ObservedAttempt,
  ObservedCall,
} from '../calling/call-observer.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { attemptErrorType, callErrorType, outcomeOf } from './error-type.js';
import { DURATION_BUCKETS, METRICS, type MetricDefinition } from './metric-table.js';
import { NameLimit, OTHER } from './name-limit.js';
import { knownMethod } from './request-url.js';
import { RpcMetrics } from './rpc-metrics.js';

const NO_HEADERS: readonly string[] = [];
const MAX_SERVICES = 200;
const MAX_ERROR_TYPES = 50;
const MAX_RPC_METHODS = 500;

export function createHistogram(meter: Meter, { name, unit, description }: MetricDefinition): Histogram {
  const advice = { explicitBucketBoundaries: [...DURATION_BUCKETS] };
  return meter.createHistogram(name, { unit, description, valueType: ValueType.DOUBLE, advice });
}

export function createCounter(meter: Meter, { name, unit, description }: MetricDefinition): Counter {
  return meter.createCounter(name, { unit, description, valueType: ValueType.INT });
}

function observableCounter(meter: Meter, { name, unit, description }: MetricDefinition): Observable {
  return meter.createObservableCounter(name, { unit, description, valueType: ValueType.INT });
}

const COUNTERS = ['calls', 'retries', 'hedges', 'fallbacks'] as const;
type CounterName = (typeof COUNTERS)[number];

interface Count {
  readonly metric: CounterName;
  readonly attributes: Attributes;
  value: number;
}

/**
 * The metrics of calls. A value that is recorded with attributes costs the SDK one to two microseconds, a tenth of what a call costs: so
 * only durations are recorded, and everything else is counted here and read when it is collected.
 */
export class CallMetrics {
  readonly #services: NameLimit;
  readonly #errorTypes = new NameLimit(MAX_ERROR_TYPES);
  readonly #rpcMethods = new NameLimit(MAX_RPC_METHODS);
  readonly #byMethod = new Map<string, RpcMetrics>();
  readonly #byService = new Map<string, ServiceCallMetrics>();
  readonly #counts: Count[] = [];
  readonly #requests: Histogram;
  readonly #rpcDurations: Histogram;
  readonly #meter: Meter;
  readonly #instruments: Observable[];
  readonly #observe: (result: BatchObservableResult) => void;

  /** @param services shared with the other metrics, so that all know the same services */
  constructor(meter: Meter, services: NameLimit) {
    this.#services = services;
    this.#requests = createHistogram(meter, METRICS.requestDuration);
    this.#rpcDurations = createHistogram(meter, METRICS.rpcDuration);
    const instruments = Object.fromEntries(
      COUNTERS.map((name) => [name, observableCounter(meter, METRICS[name])]),
    ) as Record<CounterName, Observable>;
    this.#observe = (result) => {
      for (const { metric, value, attributes } of this.#counts)
        result.observe(instruments[metric], value, attributes);
    };
    this.#instruments = Object.values(instruments);
    this.#meter = meter;
    meter.addBatchObservableCallback(this.#observe, this.#instruments);
  }

  /** @param hasAttempts whether durations of attempts are recorded here; default: as before */
  of(service: string, hasAttempts?: boolean): ServiceCallMetrics {
    const name = this.#services.of(service);
    let metrics = this.#byService.get(name);
    if (!metrics) {
      metrics = new ServiceCallMetrics(name, this.#requests, this.#errorTypes, (metric, attributes) => {
        const count: Count = { metric, attributes, value: 0 };
        this.#counts.push(count);
        return count;
      });
      this.#byService.set(name, metrics);
    }
    if (hasAttempts !== undefined) metrics.hasAttempts = hasAttempts;
    return metrics;
  }

  /** @param method fully qualified */
  rpc(service: string, method: string): RpcMetrics {
    const known = this.#rpcMethods.of(method);
    const key = `${this.#services.of(service)} ${known}`;
    let metrics = this.#byMethod.get(key);
    if (!metrics)
      this.#byMethod.set(key, (metrics = new RpcMetrics(this.of(service), known, this.#rpcDurations)));
    return metrics;
  }

  close(): void {
    this.#meter.removeBatchObservableCallback(this.#observe, this.#instruments);
  }
}

/**
 * Those of one service: told of its calls and of their attempts, it keeps nothing of a single one. What was recorded last is most often
 * recorded again, with the same attributes.
 */
export class ServiceCallMetrics implements ObservedCall, ObservedAttempt {
  readonly headers = NO_HEADERS;
  /** Whether durations of attempts are recorded here: instrumentation may do that. */
  hasAttempts = true;
  readonly #service: string;
  readonly #requests: Histogram;
  readonly #errorTypes: NameLimit;
  readonly #count: (metric: CounterName, attributes: Attributes) => Count;
  readonly #counts = new Map<string, Count>();
  readonly #attributes = new Map<string, Attributes>();
  readonly #succeeded: Count;
  readonly #last: { method: string; secure: boolean; status: number; attributes: Attributes } = {
    method: '',
    secure: false,
    status: 0,
    attributes: {},
  };

  constructor(
    service: string,
    requests: Histogram,
    errorTypes: NameLimit,
    count: (metric: CounterName, attributes: Attributes) => Count,
  ) {
    this.#service = service;
    this.#requests = requests;
    this.#errorTypes = errorTypes;
    this.#count = count;
    this.#succeeded = this.#counter('calls', { 'rookery.call.outcome': 'success' });
  }

  attempt(_instance: ServiceInstance, kind: AttemptKind): this {
    if (kind === 'retry' || kind === 'transparent-retry') this.retried(kind);
    return this;
  }

  retried(kind: 'retry' | 'transparent-retry'): void {
    this.#counter('retries', { 'rookery.retry.kind': kind }).value++;
  }

  run<A>(send: (attempt: A) => void, attempt: A): void {
    send(attempt);
  }

  settle(
    { instance, kind, request, status }: EndedAttempt,
    durationMs: number,
    outcome: CallOutcome,
    _reason: string | undefined,
    error: unknown,
  ): void {
    if (kind === 'hedge') this.#counter('hedges', { 'rookery.hedge.won': outcome === 'success' }).value++;
    if (!request || !this.hasAttempts) return;
    const last = this.#last;
    const isLast =
      outcome === 'success' &&
      last.status === status &&
      last.method === request.method &&
      last.secure === instance.secure;
    if (!isLast) {
      const type = attemptErrorType(outcome, status, error);
      last.attributes = this.#attributesOf(request.method, instance.secure, status, type);
      last.method = request.method;
      last.secure = instance.secure;
      // Those of an error are not used again at once.
      last.status = outcome === 'success' ? (status ?? 0) : 0;
    }
    this.#requests.record(durationMs / 1_000, last.attributes);
  }

  fellBack(): void {
    this.#counter('fallbacks', {}).value++;
  }

  end(call: EndedCall, failure: string | undefined, error: unknown): void {
    if (failure === undefined) this.ended('success', undefined);
    else this.ended(outcomeOf(call, error), callErrorType(call, error));
  }

  ended(outcome: EndedRpc['outcome'], errorType: string | undefined): void {
    if (outcome === 'success') this.#succeeded.value++;
    else this.#counter('calls', { 'rookery.call.outcome': outcome, ...this.errorOf(errorType) }).value++;
  }

  get service(): string {
    return this.#service;
  }

  errorOf(errorType: string | undefined): Attributes {
    return errorType === undefined ? {} : { 'error.type': this.#errorTypes.of(errorType) };
  }

  #counter(metric: CounterName, more: Attributes): Count {
    const key = `${metric} ${Object.values(more).join(' ')}`;
    let count = this.#counts.get(key);
    if (!count) {
      count = this.#count(metric, { 'rookery.service': this.#service, ...more });
      this.#counts.set(key, count);
    }
    return count;
  }

  #attributesOf(
    method: string,
    secure: boolean,
    status: number | undefined,
    errorType: string | undefined,
  ): Attributes {
    const known = knownMethod(method) ?? OTHER;
    const error = this.errorOf(errorType);
    const key = `${known} ${secure} ${status ?? ''} ${String(error['error.type'] ?? '')}`;
    let attributes = this.#attributes.get(key);
    if (!attributes) {
      // In the order of their names: the SDK sorts them for each value.
      attributes = {
        ...error,
        'http.request.method': known,
        ...(status === undefined ? {} : { 'http.response.status_code': status }),
        'server.address': this.#service,
        'server.port': secure ? 443 : 80,
      };
      this.#attributes.set(key, attributes);
    }
    return attributes;
  }
}

/** The limit that all metrics share. */
export function serviceLimit(): NameLimit {
  return new NameLimit(MAX_SERVICES);
}
