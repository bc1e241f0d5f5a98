import { randomUUID } from 'node:crypto';
import type { TravellingContext } from '../calling/incoming-call.js';
import { isInstrumented } from '../calling/instrumentation.js';
import type { ContextSettings } from './context-options.js';

/** What came with a call: names, in lower case, and values. */
export type ReceivedHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** https://www.w3.org/TR/trace-context/, 3.2: version, trace id, parent id, flags, and what later versions add. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-.*)?$/;
/** https://www.w3.org/TR/baggage/, 3.3.2. */
const MAX_BAGGAGE = 8_192;

/** What travels on of an incoming request. It is read with the first call that is made for it. */
export class ReceivedContext implements TravellingContext {
  readonly #received: ReceivedHeaders;
  readonly #settings: ContextSettings;
  #headers: readonly string[] | undefined;

  constructor(received: ReceivedHeaders, settings: ContextSettings) {
    this.#received = received;
    this.#settings = settings;
  }

  get headers(): readonly string[] {
    return (this.#headers ??= this.#read());
  }

  #read(): string[] {
    const { traceContext, requestId, headers } = this.#settings;
    const list: string[] = [];
    if (traceContext && !isInstrumented()) list.push(...traceHeaders(this.#received));
    if (requestId !== undefined) {
      const given = this.#text(requestId);
      list.push(requestId, given === undefined || given === '' ? randomUUID() : given);
    }
    for (const name of headers) {
      const value = this.#text(name);
      if (value !== undefined) list.push(name, value);
    }
    return list;
  }

  #text(name: string): string | undefined {
    const value = this.#received[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }
}

function traceHeaders({ traceparent, tracestate, baggage }: ReceivedHeaders): string[] {
  const list: string[] = [];
  if (typeof traceparent === 'string' && TRACEPARENT.test(traceparent)) {
    list.push('traceparent', traceparent);
    // Without a valid traceparent it means nothing (3.3).
    if (typeof tracestate === 'string') list.push('tracestate', tracestate);
  }
  if (typeof baggage === 'string' && baggage.length <= MAX_BAGGAGE) list.push('baggage', baggage);
  return list;
}
