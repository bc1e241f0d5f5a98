import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type PickContext, type Target } from '../load-balancer.js';
import { WeightedDraw } from './weighted-draw.js';
import { Xorshift } from '../xorshift.js';

const MOST_KEYS = 10_000;
const NO_KEY = '';

/**
 * Each `hashKey` stays with the instance that it began with, for as long as that is there: unlike with a consistent hash
 * no newcomer takes it away, and no other client knows of it. Without a key the whole client stays with one instance.
 * Of more than 10,000 keys those that were quiet the longest begin anew.
 */
export class StickyBalancer extends LoadBalancer {
  readonly #draw: WeightedDraw;
  readonly #kept = new Map<string, Target>();
  #of: readonly Target[] | undefined;
  #present: ReadonlySet<Target> = new Set();

  constructor(random: Random) {
    super();
    this.#draw = new WeightedDraw(new Xorshift(random));
  }

  override pick(targets: readonly Target[], { hashKey = NO_KEY, attempt }: PickContext): Target | undefined {
    if (this.#of !== targets) {
      this.#of = targets;
      this.#present = new Set(targets);
    }
    const kept = this.#kept.get(hashKey);
    if (kept && attempt === 0 && this.#present.has(kept)) {
      // Who was used of late is told apart only when somebody has to go before long.
      if (this.#kept.size > MOST_KEYS / 2) this.#keep(hashKey, kept);
      return kept;
    }
    const chosen = targets[this.#draw.draw(targets)];
    // A retry elsewhere is no reason to move for good: who is really gone will not be among the targets.
    if (chosen && (attempt === 0 || !kept)) this.#keep(hashKey, chosen);
    return chosen;
  }

  #keep(key: string, target: Target): void {
    this.#kept.delete(key);
    this.#kept.set(key, target);
    if (this.#kept.size <= MOST_KEYS) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}
