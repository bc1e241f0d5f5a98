import type { Attributes, Histogram } from '@opentelemetry/api';
import type { EndedRpc, ObservedRpc } from '../calling/call-observer.js';

const NO_HEADERS: readonly string[] = [];

/** What all calls to a service are counted by. */
interface CallCounter {
  readonly service: string;
  errorOf(errorType: string | undefined): Attributes;
  ended(outcome: EndedRpc['outcome'], errorType: string | undefined): void;
}

/** Those of one method of a service over gRPC: it stands for all of its calls. */
export class RpcMetrics implements ObservedRpc {
  readonly headers = NO_HEADERS;
  readonly #calls: CallCounter;
  readonly #method: string;
  readonly #durations: Histogram;
  readonly #attributes = new Map<string, Attributes>();

  constructor(calls: CallCounter, method: string, durations: Histogram) {
    this.#calls = calls;
    this.#method = method;
    this.#durations = durations;
  }

  end({ status, outcome, errorType }: EndedRpc, durationMs: number): void {
    this.#calls.ended(outcome, errorType);
    const key = `${status} ${errorType ?? ''}`;
    let attributes = this.#attributes.get(key);
    if (!attributes) {
      // In the order of their names: the SDK sorts them for each value.
      attributes = {
        ...this.#calls.errorOf(errorType),
        'rpc.method': this.#method,
        'rpc.response.status_code': status,
        'rpc.system.name': 'grpc',
        'server.address': this.#calls.service,
      };
      this.#attributes.set(key, attributes);
    }
    this.#durations.record(durationMs / 1_000, attributes);
  }
}
