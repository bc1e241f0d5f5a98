import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type PickContext, type Target } from '../load-balancer.js';
import { WeightedDraw } from './weighted-draw.js';
import { Xorshift } from '../xorshift.js';

const MAX_KEYS = 10_000;
const NO_KEY = '';

/**
 * Each `hashKey` stays with the instance that took its first call, for as long as that is listed. Unlike with a consistent
 * hash, a new instance takes over no keys, and each client assigns them by itself. Without a key the whole client stays with
 * one instance. Beyond 10,000 keys the least recently used ones are assigned again.
 */
export class StickyBalancer extends LoadBalancer {
  readonly #draw: WeightedDraw;
  readonly #kept = new Map<string, Target>();
  #targets: readonly Target[] | undefined;
  #present: ReadonlySet<Target> = new Set();

  constructor(random: Random) {
    super();
    this.#draw = new WeightedDraw(new Xorshift(random));
  }

  override pick(targets: readonly Target[], { hashKey = NO_KEY, attempt }: PickContext): Target | undefined {
    if (this.#targets !== targets) {
      this.#targets = targets;
      this.#present = new Set(targets);
    }
    const kept = this.#kept.get(hashKey);
    if (kept && attempt === 0 && this.#present.has(kept)) {
      // The order of use is tracked only when keys will soon have to be evicted.
      if (this.#kept.size > MAX_KEYS / 2) this.#keep(hashKey, kept);
      return kept;
    }
    const chosen = targets[this.#draw.draw(targets)];
    // A retry elsewhere does not move the key: an instance that is really gone will not be among the targets.
    if (chosen && (attempt === 0 || !kept)) this.#keep(hashKey, chosen);
    return chosen;
  }

  #keep(key: string, target: Target): void {
    this.#kept.delete(key);
    this.#kept.set(key, target);
    if (this.#kept.size <= MAX_KEYS) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}
