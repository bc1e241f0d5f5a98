import { probeAll, type InstanceProbe } from '../../registry/instance-probe.js';
import type { ServiceInstance } from '../../registry/service-instance.js';
import type { ProbeResult } from '../../registry/tcp-probe.js';
import { delay, type Clock, type Random } from '../../timing/clock.js';

export interface OutageProbeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly probe: InstanceProbe;
  /** The instances that calls go to now; empty when no calls are made. */
  readonly inUse: () => readonly ServiceInstance[];
  readonly onResult: (instance: ServiceInstance, result: ProbeResult) => void;
  /** Called after each round of probes. */
  readonly onRound: () => void;
}

/** A short blip of the registry is no reason to probe. */
const FIRST_ROUND_MS = 500;
const INTERVAL_MS = 5_000;
/** Instances in one round; a larger list takes several. */
const MAX_PER_ROUND = 50;

/** Probes the instances in use while the registry is unreachable and cannot say which of them are healthy. */
export class OutageProbe {
  readonly #options: OutageProbeOptions;
  #running: AbortController | undefined;
  #offset = 0;

  constructor(options: OutageProbeOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#running) return;
    this.#running = new AbortController();
    // It rejects only when `stop` aborts it.
    this.#run(this.#running.signal).catch(() => undefined);
  }

  stop(): void {
    this.#running?.abort(new Error('the registry is reachable again'));
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    for (let wait = FIRST_ROUND_MS; ; wait = INTERVAL_MS * (0.8 + 0.4 * random())) {
      await delay(clock, wait, signal);
      await this.#round(signal);
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { inUse, probe, onResult, onRound } = this.#options;
    const all = inUse();
    const start = all.length <= MAX_PER_ROUND ? 0 : this.#offset % all.length;
    const selected = [...all.slice(start), ...all.slice(0, start)].slice(0, MAX_PER_ROUND);
    this.#offset = start + selected.length;
    const results = await probeAll(selected, probe);
    if (signal.aborted) return;
    selected.forEach((instance, index) => {
      const result = results[index];
      if (result) onResult(instance, result);
    });
    if (selected.length > 0) onRound();
  }
}
