import type { ControllableClock } from '../time/controllable-clock.js';
import { critical, type Probe, type ProbeResult } from './probe.js';

export interface PollingOptions {
  readonly clock: ControllableClock;
  readonly random: () => number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly probe: Probe;
  readonly onResult: (result: ProbeResult) => void;
}

/** Polls after a random part of the interval, then every interval; never concurrently. Returns a function that ends it. */
export function poll({ clock, random, intervalMs, timeoutMs, probe, onResult }: PollingOptions): () => void {
  const stopping = new AbortController();
  let cancel = clock.after(random() * intervalMs, () => void look());
  const look = async (): Promise<void> => {
    const aborting = new AbortController();
    const onStop = (): void => aborting.abort();
    stopping.signal.addEventListener('abort', onStop, { once: true });
    const timer = setTimeout(onStop, timeoutMs);
    const result = await resultOf(probe, aborting.signal);
    clearTimeout(timer);
    stopping.signal.removeEventListener('abort', onStop);
    if (stopping.signal.aborted) return;
    onResult(result);
    cancel = clock.after(intervalMs, () => void look());
  };
  return () => {
    stopping.abort();
    cancel();
  };
}

/** What cannot even be tried, such as an address that is none, is critical with its reason: it must not end the process. */
async function resultOf(probe: Probe, signal: AbortSignal): Promise<ProbeResult> {
  try {
    return await probe(signal);
  } catch (error) {
    return critical(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Consul's `success_before_passing` and `failures_before_critical`: the first result counts at once, a later change only
 * after that many further results of its kind.
 */
export function thresholds(
  successBeforePassing: number,
  failuresBeforeCritical: number,
  apply: (result: ProbeResult) => void,
): (result: ProbeResult) => void {
  let successes = successBeforePassing;
  let failures = failuresBeforeCritical;
  return (result) => {
    const failed = result.status === 'critical';
    successes = failed ? 0 : successes + 1;
    failures = failed ? failures + 1 : 0;
    if (failed ? failures >= failuresBeforeCritical : successes >= successBeforePassing) apply(result);
  };
}
