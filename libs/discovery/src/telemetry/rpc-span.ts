import { SpanKind, SpanStatusCode, trace, type Span, type Tracer } from '@opentelemetry/api';
import type { EndedRpc, ObservedRpc } from '../calling/call-observer.js';
import { isDropped, parentContext, traceHeaders } from './trace-context.js';

/** A call over gRPC with a CLIENT span, as the semantic conventions of RPC have it; its channel makes the attempts, so there is one for all of them. */
export class RpcSpan implements ObservedRpc {
  readonly headers: readonly string[];
  /** Undefined: its trace is not recorded, and travels on as it came. */
  readonly #span: Span | undefined;
  readonly #metrics: ObservedRpc | undefined;

  constructor(tracer: Tracer, service: string, method: string, metrics: ObservedRpc | undefined) {
    const outer = parentContext();
    const parent = trace.getSpan(outer);
    this.#metrics = metrics;
    if (parent && isDropped(parent)) {
      this.headers = traceHeaders(outer);
      return;
    }
    const attributes = {
      'rpc.system.name': 'grpc',
      'rpc.method': method,
      'server.address': service,
      'rookery.service': service,
    };
    this.#span = tracer.startSpan(method, { kind: SpanKind.CLIENT, attributes }, outer);
    this.headers = traceHeaders(trace.setSpan(outer, this.#span));
  }

  end(ended: EndedRpc, durationMs: number): void {
    this.#metrics?.end(ended, durationMs);
    const { status, outcome, errorType, details } = ended;
    this.#span?.setAttribute('rpc.response.status_code', status);
    if (errorType !== undefined) {
      this.#span?.setAttribute('error.type', errorType);
      if (outcome !== 'cancelled') this.#span?.setStatus({ code: SpanStatusCode.ERROR, message: details });
    }
    this.#span?.end();
  }
}
