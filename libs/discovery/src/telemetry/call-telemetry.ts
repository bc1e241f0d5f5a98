import {
  context,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import type { CallOutcome } from '../balancing/target/tracked-target.js';
import type {
  AttemptKind,
  CallObserver,
  EndedAttempt,
  EndedCall,
  ObservedAttempt,
  ObservedCall,
  ObservedRpc,
  RequestDescription,
  RpcDescription,
} from '../calling/call-observer.js';
import { isInstrumented } from '../calling/instrumentation.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { CallMetrics, ServiceCallMetrics } from './call-metrics.js';
import { attemptErrorType, callErrorType } from './error-type.js';
import { OTHER } from './name-limit.js';
import type { OpenTelemetry } from './open-telemetry.js';
import { knownMethod, shownPath } from './request-url.js';
import { RpcSpan } from './rpc-span.js';
import { isDropped, parentContext, traceHeaders } from './trace-context.js';

/** Instrumentation may be set up after the app. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Spans and metrics of calls: an INTERNAL span for the call, and a CLIENT span for each attempt, as the semantic conventions of HTTP have it
 * for a client that resends. Where instrumentation of undici is present, the attempts are its own.
 */
export class CallTelemetry implements CallObserver {
  readonly #telemetry: OpenTelemetry;
  readonly #attempts: 'auto' | boolean;
  /** Undefined: nothing records them. */
  metrics: CallMetrics | undefined;
  #hasAttempts = true;
  #lookedAt = -Infinity;

  constructor(telemetry: OpenTelemetry, attempts: 'auto' | boolean) {
    this.#telemetry = telemetry;
    this.#attempts = attempts;
  }

  begin(service: string, request: RequestDescription | undefined, now: number): ObservedCall | undefined {
    const tracer = this.#telemetry.tracer(now);
    if (!tracer && !this.metrics) return undefined;
    if (now - this.#lookedAt >= LOOK_AGAIN_MS) {
      this.#lookedAt = now;
      this.#hasAttempts = this.#attempts === 'auto' ? !isInstrumented() : this.#attempts;
    }
    const metrics = this.metrics?.of(service, this.#hasAttempts);
    if (!tracer) return metrics;
    const outer = parentContext();
    const parent = trace.getSpan(outer);
    if (parent && isDropped(parent)) return new UnrecordedCall(outer, metrics, this.#hasAttempts);
    const options = { kind: SpanKind.INTERNAL, attributes: { 'rookery.service': service } };
    const span = tracer.startSpan(`call ${service}`, options, outer);
    if (span.isRecording())
      return new TracedCall(service, request, tracer, metrics, this.#hasAttempts, span, outer);
    // What is not recorded is not worth a context: it hands on the trace as it came.
    return new UnrecordedCall(parent ? outer : trace.setSpan(outer, span), metrics, this.#hasAttempts);
  }

  beginRpc(service: string, rpc: RpcDescription, now: number): ObservedRpc | undefined {
    const tracer = this.#telemetry.tracer(now);
    const metrics = this.metrics?.rpc(service, rpc.method);
    if (!tracer || propagation.fields().some((name) => rpc.carries(name))) return metrics;
    return new RpcSpan(tracer, service, rpc.method, metrics);
  }

  retried(service: string): void {
    this.metrics?.of(service).retried('retry');
  }
}

const NO_HEADERS: readonly string[] = [];

/** A call whose trace is not recorded, and each of its attempts: hands on the trace, and counts. */
class UnrecordedCall implements ObservedCall, ObservedAttempt {
  readonly #context: Context;
  readonly #metrics: ServiceCallMetrics | undefined;
  /** Whether attempts send their trace, or instrumentation does that for them. */
  readonly #hasAttempts: boolean;
  #headers: readonly string[] | undefined;

  constructor(of: Context, metrics: ServiceCallMetrics | undefined, hasAttempts: boolean) {
    this.#context = of;
    this.#metrics = metrics;
    this.#hasAttempts = hasAttempts;
  }

  get headers(): readonly string[] {
    return (this.#headers ??= this.#hasAttempts ? traceHeaders(this.#context) : NO_HEADERS);
  }

  attempt(instance: ServiceInstance, kind: AttemptKind): this {
    this.#metrics?.attempt(instance, kind);
    return this;
  }

  run<A>(send: (attempt: A) => void, attempt: A): void {
    // The first attempt is mostly made where the call was; others begin in callbacks, in whatever context those are.
    if (context.active() === this.#context) send(attempt);
    else context.with(this.#context, send, undefined, attempt);
  }

  settle(...settled: Parameters<ObservedAttempt['settle']>): void {
    this.#metrics?.settle(...settled);
  }

  fellBack(): void {
    this.#metrics?.fellBack();
  }

  end(...ended: Parameters<ObservedCall['end']>): void {
    this.#metrics?.end(...ended);
  }
}

/** A call with a span, and what the metrics want to know of it. */
class TracedCall implements ObservedCall {
  readonly service: string;
  readonly request: RequestDescription | undefined;
  readonly metrics: ServiceCallMetrics | undefined;
  /** With the span of the call: attempts begin in callbacks, in whatever context those are. */
  readonly context: Context;
  readonly #tracer: Tracer;
  /** Whether attempts have spans, and send their trace, or instrumentation does that for them. */
  readonly #hasAttempts: boolean;
  readonly #span: Span;
  #attempts = 0;

  constructor(
    service: string,
    request: RequestDescription | undefined,
    tracer: Tracer,
    metrics: ServiceCallMetrics | undefined,
    hasAttempts: boolean,
    span: Span,
    outer: Context,
  ) {
    this.service = service;
    this.request = request;
    this.metrics = metrics;
    this.context = trace.setSpan(outer, span);
    this.#tracer = tracer;
    this.#hasAttempts = hasAttempts;
    this.#span = span;
  }

  attempt(instance: ServiceInstance, kind: AttemptKind, number: number): ObservedAttempt {
    this.#attempts++;
    this.metrics?.attempt(instance, kind);
    if (!this.#hasAttempts) return new UntracedAttempt(this);
    const method = this.request ? (knownMethod(this.request.method) ?? 'HTTP') : this.service;
    const options = { kind: SpanKind.CLIENT, attributes: attributesOf(this, instance, number) };
    return new TracedAttempt(this, this.#tracer.startSpan(method, options, this.context));
  }

  fellBack(): void {
    this.metrics?.fellBack();
  }

  end(call: EndedCall, failure: string | undefined, error: unknown): void {
    this.metrics?.end(call, failure, error);
    const span = this.#span;
    span.setAttribute('rookery.call.attempts', this.#attempts);
    if (failure !== undefined) {
      span.setAttribute('error.type', callErrorType(call, error));
      if (!call.wasCancelled) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    }
    span.end();
  }
}

/** Instrumentation makes its span. */
class UntracedAttempt implements ObservedAttempt {
  readonly headers = NO_HEADERS;
  readonly #call: TracedCall;

  constructor(call: TracedCall) {
    this.#call = call;
  }

  run<A>(send: (attempt: A) => void, attempt: A): void {
    context.with(this.#call.context, send, undefined, attempt);
  }

  settle(...settled: Parameters<ObservedAttempt['settle']>): void {
    this.#call.metrics?.settle(...settled);
  }
}

class TracedAttempt implements ObservedAttempt {
  readonly headers: readonly string[];
  readonly #call: TracedCall;
  readonly #span: Span;
  readonly #context: Context;

  constructor(call: TracedCall, span: Span) {
    this.#call = call;
    this.#span = span;
    this.#context = trace.setSpan(call.context, span);
    this.headers = traceHeaders(this.#context);
  }

  run<A>(send: (attempt: A) => void, attempt: A): void {
    context.with(this.#context, send, undefined, attempt);
  }

  settle(
    attempt: EndedAttempt,
    durationMs: number,
    outcome: CallOutcome,
    reason: string | undefined,
    error: unknown,
  ): void {
    this.#call.metrics?.settle(attempt, durationMs, outcome, reason, error);
    const { status } = attempt;
    const type = attemptErrorType(outcome, status, error);
    const span = this.#span;
    if (status !== undefined) span.setAttribute('http.response.status_code', status);
    if (type !== undefined) span.setAttribute('error.type', type);
    if (type !== undefined && type !== 'cancelled') {
      // Of a status the code says it all, and is in an attribute.
      const message = status === undefined ? reason : undefined;
      span.setStatus({ code: SpanStatusCode.ERROR, ...(message === undefined ? {} : { message }) });
    }
    span.end();
  }
}

function attributesOf(
  { service, request }: TracedCall,
  { id, address, port, secure }: ServiceInstance,
  number: number,
): Attributes {
  const attributes: Attributes = {
    'server.address': service,
    'server.port': secure ? 443 : 80,
    'network.peer.address': address,
    'network.peer.port': port,
    'rookery.instance.id': id,
  };
  if (number > 0) attributes['http.request.resend_count'] = number;
  if (!request) return attributes;
  const { method, path } = request;
  const known = knownMethod(method);
  attributes['http.request.method'] = known ?? OTHER;
  if (known === undefined) attributes['http.request.method_original'] = method.slice(0, 40);
  attributes['url.full'] = `${secure ? 'https' : 'http'}://${service}${shownPath(path)}`;
  return attributes;
}
