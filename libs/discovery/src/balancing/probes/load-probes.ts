import type { Clock } from '../../timing/clock.js';
import { IdleTicker } from '../../timing/idle-ticker.js';
import type { TrackedTarget } from '../target/tracked-target.js';
import { reportedInFlight } from '../target/reported-in-flight.js';
import type { Xorshift } from '../xorshift.js';

export interface LoadProbesOptions {
  readonly clock: Clock;
  readonly random: Xorshift;
  readonly perSecond: number;
  /** Those that calls may go to. */
  readonly targets: () => readonly TrackedTarget[];
  /** @returns what the server of a target reports; undefined: nothing, or it cannot be asked */
  readonly ask: (target: TrackedTarget) => Promise<string | undefined>;
  readonly onAnswer: (target: TrackedTarget, inFlight: number) => void;
}

const SECOND_MS = 1_000;
/** After the last call. */
const GOES_ON_FOR_S = 10;

/**
 * Asks servers for their load, one after the other in random order, while calls are made: where calls are few, what their responses report is old by the next one.
 * Nothing waits for the answers, and what cannot be asked is left to the outlier detection.
 */
export class LoadProbes {
  readonly #options: LoadProbesOptions;
  readonly #ticker: IdleTicker;
  readonly #asked = new Set<TrackedTarget>();

  constructor(options: LoadProbesOptions) {
    this.#options = options;
    const { clock, perSecond } = options;
    this.#ticker = new IdleTicker({
      clock,
      intervalMs: SECOND_MS / perSecond,
      idleTicks: perSecond * GOES_ON_FOR_S,
      onTick: () => this.#askOne(),
    });
  }

  /** A call is made. */
  wake(): void {
    this.#ticker.wake();
  }

  close(): void {
    this.#ticker.close();
  }

  /** @returns false: there is nothing to wait for */
  #askOne(): false {
    const { targets, random, ask, onAnswer } = this.#options;
    const all = targets();
    if (all.length < 2) return false;
    const target = all[random.below(all.length)];
    if (!target || this.#asked.has(target)) return false;
    this.#asked.add(target);
    ask(target)
      .then(
        (header) => {
          const inFlight = header === undefined ? undefined : reportedInFlight(header);
          if (inFlight !== undefined && target.isListed) onAnswer(target, inFlight);
        },
        () => undefined,
      )
      .finally(() => this.#asked.delete(target));
    return false;
  }
}
