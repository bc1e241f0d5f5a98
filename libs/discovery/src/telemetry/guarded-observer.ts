import type { CallObserver, ObservedAttempt, ObservedCall } from '../calling/call-observer.js';

/**
 * Telemetry must not break what it tells of: a sampler, a processor or a propagator of the SDK may throw. What throws is reported once,
 * and the call goes on without it.
 */
export function guarded(observer: CallObserver, onThrown: (error: unknown) => void): CallObserver {
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      onThrown(error);
      return undefined;
    }
  };
  const guardAttempt = (observed: ObservedAttempt): ObservedAttempt => ({
    headers: observed.headers,
    // What is sent inside of it may throw as well, and that belongs to the call.
    run: (send, given) => observed.run(send, given),
    settle: (...settled) => {
      attempt(() => {
        observed.settle(...settled);
      });
    },
  });
  const guardCall = (observed: ObservedCall): ObservedCall => ({
    attempt: (...args) => {
      const begun = attempt(() => observed.attempt(...args));
      return begun ? guardAttempt(begun) : NOTHING;
    },
    fellBack: () => {
      attempt(() => {
        observed.fellBack();
      });
    },
    end: (...ended) => {
      attempt(() => {
        observed.end(...ended);
      });
    },
  });
  return {
    begin: (...args) => {
      const begun = attempt(() => observer.begin(...args));
      return begun && guardCall(begun);
    },
  };
}

const NOTHING: ObservedAttempt = {
  headers: [],
  run: (send, attempt) => send(attempt),
  settle: () => undefined,
};
