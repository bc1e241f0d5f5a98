import type { ServiceInstance } from '../../registry/service-instance.js';
import { pause, type Clock, type Random } from '../../timing/clock.js';
import { probeAll, type InstanceProbe } from '../../registry/instance-probe.js';
import type { Sighting } from '../protection/protection-rules.js';

export interface OutageProbeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly probe: InstanceProbe;
  /** Those that calls go to at present; nobody is probed on behalf of nobody. */
  readonly inUse: () => readonly ServiceInstance[];
  readonly onSeen: (instance: ServiceInstance, sighting: Sighting) => void;
  /** After a round of them. */
  readonly onRound: () => void;
}

/** A blip of the registry is no reason to look at anybody. */
const FIRST_MS = 500;
const EVERY_MS = 5_000;
/** So many in one round, the next ones in the next. */
const LARGEST_ROUND = 50;

/** While the registry is away nobody else tells who is well: the instances in use are looked at by ourselves. */
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
    // Ends only by `stop`.
    this.#run(this.#running.signal).catch(() => undefined);
  }

  stop(): void {
    this.#running?.abort(new Error('the registry is back'));
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    for (let wait = FIRST_MS; ; wait = EVERY_MS * (0.8 + 0.4 * random())) {
      await pause(clock, wait, signal);
      await this.#round(signal);
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { inUse, probe, onSeen, onRound } = this.#options;
    const all = inUse();
    const start = all.length <= LARGEST_ROUND ? 0 : this.#offset % all.length;
    const chosen = [...all.slice(start), ...all.slice(0, start)].slice(0, LARGEST_ROUND);
    this.#offset = start + chosen.length;
    const sightings = await probeAll(chosen, probe);
    if (signal.aborted) return;
    chosen.forEach((instance, at) => {
      const sighting = sightings[at];
      if (sighting) onSeen(instance, sighting);
    });
    if (chosen.length > 0) onRound();
  }
}
