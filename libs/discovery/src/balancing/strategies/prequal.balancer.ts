import type { Random } from '../../timing/clock.js';
import type { Target } from '../load-balancer.js';
import { Xorshift } from '../xorshift.js';
import { peakEwmaLoad } from './peak-ewma.balancer.js';
import { ReportedLoadBalancer } from './reported-load.balancer.js';

/** Targets that are compared. */
const POOL = 16;
/** The share of them that is not hot. */
const COLD_SHARE = 0.84;
/** A hot target that is so much faster than any other is picked: what servers say of their load is not true, then. */
const MAX_TRUST = 2;
/** One in as many picks is as with `p2c-load`, so that those of which nothing is known are tried too. */
const PICKS_PER_TRIAL = 16;

/**
 * The hot-cold rule: a target is hot if its server has as many calls under way as the busiest sixth of the pool, or more. Of the others the one with the least latency
 * is picked; if all are hot, the one with the fewest calls. Where not all have told their load, or one says always the same, as `p2c-load`.
 * Source: B. Wydrowski et al., "Load is not what you should balance: Introducing Prequal", NSDI 2024, 4.
 */
export class PrequalBalancer extends ReportedLoadBalancer {
  readonly #random: Xorshift;
  // Of a fixed size, and of integers: a pick allocates nothing.
  readonly #pool: (Target | undefined)[] = Array.from({ length: POOL }, () => undefined);
  readonly #sorted = new Int32Array(POOL);

  constructor(random: Random) {
    super(random);
    this.#random = new Xorshift(random);
  }

  override pick(targets: readonly Target[]): Target | undefined {
    const isTrial = this.#random.below(PICKS_PER_TRIAL) === 0;
    return (isTrial ? undefined : this.#hotCold(targets)) ?? super.pick(targets);
  }

  #hotCold(targets: readonly Target[]): Target | undefined {
    const size = this.#fillPool(targets);
    if (size < 2) return undefined;
    const hot = this.#sorted[Math.floor(COLD_SHARE * size)] ?? 0;
    return this.#fastestBelow(hot, size) ?? this.#leastBusy(size);
  }

  /** @returns how many there are */
  #fillPool(targets: readonly Target[]): number {
    const from = this.#random.below(targets.length);
    let size = 0;
    for (let n = 0; n < targets.length && size < POOL; n++) {
      const target = targets[(from + n) % targets.length];
      // Those that say nothing would get nothing.
      if (!target?.reported.isTelling) return 0;
      this.#pool[size] = target;
      this.#insert(target.reported.nowInFlight(target.inFlight), size);
      size++;
    }
    return size;
  }

  /** Into the first `size` values, which are in order. */
  #insert(value: number, size: number): void {
    const sorted = this.#sorted;
    let at = size;
    for (; at > 0; at--) {
      const before = sorted[at - 1] ?? 0;
      if (before <= value) break;
      sorted[at] = before;
    }
    sorted[at] = value;
  }

  #fastestBelow(hot: number, size: number): Target | undefined {
    let fastest: Target | undefined;
    let least = Infinity;
    let fastestOfAll: Target | undefined;
    let leastOfAll = Infinity;
    for (let n = 0; n < size; n++) {
      const target = this.#pool[n];
      if (!target) continue;
      const load = peakEwmaLoad(target, target.weight);
      if (load < leastOfAll) {
        leastOfAll = load;
        fastestOfAll = target;
      }
      if (load >= least || target.reported.nowInFlight(target.inFlight) >= hot) continue;
      least = load;
      fastest = target;
    }
    return least < Infinity && least > leastOfAll * MAX_TRUST ? fastestOfAll : fastest;
  }

  #leastBusy(size: number): Target | undefined {
    let least = this.#pool[0];
    for (let n = 1; n < size; n++) {
      const target = this.#pool[n];
      if (!target || !least) continue;
      if (target.reported.nowInFlight(target.inFlight) < least.reported.nowInFlight(least.inFlight))
        least = target;
    }
    return least;
  }
}
