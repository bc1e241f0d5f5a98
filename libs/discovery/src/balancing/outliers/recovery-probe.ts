import type { InstanceProbe } from '../../registry/instance-probe.js';
import type { ProbeResult } from '../../registry/tcp-probe.js';
import type { TrackedTarget } from '../target/tracked-target.js';

/** An ejected target that refused connections is probed at this interval: a restarted one returns long before its time is over. */
const REFUSED_INTERVAL_MS = 5_000;

/** Probes targets without spending a call on them, each one at most once at a time. */
export class RecoveryProbe {
  readonly #probe: InstanceProbe;
  readonly #onResult: (target: TrackedTarget, result: ProbeResult) => void;
  readonly #inFlight = new Set<TrackedTarget>();
  #refusedProbedAt = 0;

  constructor(probe: InstanceProbe, onResult: (target: TrackedTarget, result: ProbeResult) => void) {
    this.#probe = probe;
    this.#onResult = onResult;
  }

  /** Whether ejected targets that refused connections are due; then they are not due again for a while. */
  takeRefusedTurn(now: number): boolean {
    if (now - this.#refusedProbedAt < REFUSED_INTERVAL_MS) return false;
    this.#refusedProbedAt = now;
    return true;
  }

  start(target: TrackedTarget): void {
    if (this.#inFlight.has(target)) return;
    this.#inFlight.add(target);
    this.#probe(target.instance)
      .catch(() => 'unknown' as const)
      .then((result) => {
        this.#inFlight.delete(target);
        if (target.isListed) this.#onResult(target, result);
      })
      .catch(() => undefined);
  }
}
