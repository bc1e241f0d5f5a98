import type { CallObserver, ObservedAttempt, ObservedCall, ObservedRpc } from '../calling/call-observer.js';

/**
 * Telemetry must not break what it tells of: a sampler, a processor or a propagator of the SDK may throw. What throws is reported once,
 * and the call goes on without it.
 */
export function guarded(observer: CallObserver, onThrown: (error: unknown) => void): CallObserver {
  return {
    begin: (service, request, now) => {
      try {
        const begun = observer.begin(service, request, now);
        return begun && new GuardedCall(begun, onThrown);
      } catch (error) {
        onThrown(error);
        return undefined;
      }
    },
    beginRpc: (service, rpc, now) => {
      try {
        const begun = observer.beginRpc(service, rpc, now);
        return begun && new GuardedRpc(begun, begun.headers, onThrown);
      } catch (error) {
        onThrown(error);
        return undefined;
      }
    },
    retried: (service) => {
      try {
        observer.retried(service);
      } catch (error) {
        onThrown(error);
      }
    },
  };
}

class GuardedRpc implements ObservedRpc {
  readonly headers: readonly string[];
  readonly #observed: ObservedRpc;
  readonly #onThrown: (error: unknown) => void;

  constructor(observed: ObservedRpc, headers: readonly string[], onThrown: (error: unknown) => void) {
    this.#observed = observed;
    this.headers = headers;
    this.#onThrown = onThrown;
  }

  end(...ended: Parameters<ObservedRpc['end']>): void {
    try {
      this.#observed.end(...ended);
    } catch (error) {
      this.#onThrown(error);
    }
  }
}

class GuardedCall implements ObservedCall {
  readonly #observed: ObservedCall;
  readonly #onThrown: (error: unknown) => void;

  constructor(observed: ObservedCall, onThrown: (error: unknown) => void) {
    this.#observed = observed;
    this.#onThrown = onThrown;
  }

  attempt(...begun: Parameters<ObservedCall['attempt']>): ObservedAttempt {
    try {
      const observed = this.#observed.attempt(...begun);
      return new GuardedAttempt(observed, observed.headers, this.#onThrown);
    } catch (error) {
      this.#onThrown(error);
      return NOTHING;
    }
  }

  fellBack(): void {
    try {
      this.#observed.fellBack();
    } catch (error) {
      this.#onThrown(error);
    }
  }

  end(...ended: Parameters<ObservedCall['end']>): void {
    try {
      this.#observed.end(...ended);
    } catch (error) {
      this.#onThrown(error);
    }
  }
}

class GuardedAttempt implements ObservedAttempt {
  readonly headers: readonly string[];
  readonly #observed: ObservedAttempt;
  readonly #onThrown: (error: unknown) => void;

  constructor(observed: ObservedAttempt, headers: readonly string[], onThrown: (error: unknown) => void) {
    this.#observed = observed;
    this.headers = headers;
    this.#onThrown = onThrown;
  }

  /** What is sent inside of it may throw as well, and that belongs to the call. */
  run<A>(send: (attempt: A) => void, attempt: A): void {
    this.#observed.run(send, attempt);
  }

  settle(...settled: Parameters<ObservedAttempt['settle']>): void {
    try {
      this.#observed.settle(...settled);
    } catch (error) {
      this.#onThrown(error);
    }
  }
}

const NOTHING: ObservedAttempt = {
  headers: [],
  run: (send, attempt) => send(attempt),
  settle: () => undefined,
};
