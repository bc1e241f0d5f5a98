import type { Random } from '../../timing/clock.js';
import { instanceKey } from '../../registry/service-instance.js';
import { hash, mix } from '../hash.js';
import { LoadBalancer, type PickContext, type Target } from '../load-balancer.js';
import { MaglevTable } from './maglev-table.js';
import { Xorshift } from '../xorshift.js';

/** Nobody takes more than this times the average of calls under way: the key's next target takes what is above. */
const BOUND = 1.25;
const MOST_STEPS = 16;

/**
 * Calls of one `hashKey` go to one instance, on every client, as long as that is there and not overloaded; a call without
 * a key goes anywhere. By registered weights.
 * Source of the bound: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018.
 */
export class ConsistentHashBalancer extends LoadBalancer {
  readonly #random: Xorshift;
  #of: readonly Target[] | undefined;
  #sorted: readonly Target[] = [];
  #table: MaglevTable | undefined;
  #names = '';

  constructor(random: Random) {
    super();
    this.#random = new Xorshift(random);
  }

  override pick(targets: readonly Target[], { hashKey, attempt }: PickContext): Target | undefined {
    if (this.#of !== targets) this.#prepare(targets);
    const start = hashKey === undefined ? this.#random.next() : hash(hashKey);
    let best: Target | undefined;
    let skipped = attempt;
    let slot = start;
    for (let step = 0; step < MOST_STEPS; step++) {
      const target = this.#sorted[this.#table?.at(slot) ?? 0];
      slot = mix(slot + 1);
      if (!target) continue;
      // Each next attempt begins further on.
      if (skipped-- > 0) continue;
      if (isWithinBound(target, targets)) return target;
      if (!best || target.inFlight < best.inFlight) best = target;
    }
    return best ?? this.#sorted[this.#table?.at(start) ?? 0];
  }

  /** A list that differs in nothing that counts here keeps its table: weights rise each second while somebody is new. */
  #prepare(targets: readonly Target[]): void {
    this.#of = targets;
    const named = targets.map((target) => ({
      target,
      name: instanceKey(target.instance),
      weight: target.instance.weight > 0 ? target.instance.weight : 1,
    }));
    named.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#sorted = named.map(({ target }) => target);
    const names = named.map(({ name, weight }) => `${name} ${weight}`).join('\n');
    if (names === this.#names && this.#table) return;
    this.#names = names;
    this.#table = new MaglevTable(named);
  }
}

/** Sampled, not summed: a look at everybody would make a pick cost as much as there are targets. */
function isWithinBound(target: Target, targets: readonly Target[]): boolean {
  if (target.inFlight < 2) return true;
  const looks = Math.min(targets.length, 16);
  let total = 0;
  for (let look = 0; look < looks; look++)
    total += targets[Math.floor((look * targets.length) / looks)]?.inFlight ?? 0;
  return target.inFlight < Math.ceil(BOUND * (total / looks + 1));
}
