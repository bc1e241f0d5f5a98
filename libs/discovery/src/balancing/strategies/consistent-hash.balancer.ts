import type { Random } from '../../timing/clock.js';
import { instanceKey } from '../../registry/service-instance.js';
import { hash, mix } from '../hash.js';
import { LoadBalancer, type PickContext, type Target } from '../load-balancer.js';
import { MaglevTable } from './maglev-table.js';
import { Xorshift } from '../xorshift.js';

/** A target with more than this times the average of calls in flight passes further calls on to the key's next target. */
const BOUND = 1.25;
const MAX_STEPS = 16;

/**
 * Calls with the same `hashKey` go to the same instance, from every client, as long as it is listed and not overloaded; a
 * call without a key goes to any instance. Instances have keys in proportion to their registered weights.
 * Source of the bound: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018.
 */
export class ConsistentHashBalancer extends LoadBalancer {
  readonly #random: Xorshift;
  #targets: readonly Target[] | undefined;
  #sorted: readonly Target[] = [];
  #table: MaglevTable | undefined;
  #names = '';

  constructor(random: Random) {
    super();
    this.#random = new Xorshift(random);
  }

  override pick(targets: readonly Target[], { hashKey, attempt }: PickContext): Target | undefined {
    if (this.#targets !== targets) this.#prepare(targets);
    const start = hashKey === undefined ? this.#random.next() : hash(hashKey);
    let best: Target | undefined;
    let skipped = attempt;
    let slot = start;
    for (let step = 0; step < MAX_STEPS; step++) {
      const target = this.#sorted[this.#table?.at(slot) ?? 0];
      slot = mix(slot + 1);
      if (!target) continue;
      // Each further attempt starts at the next target.
      if (skipped-- > 0) continue;
      if (isWithinBound(target, targets)) return target;
      if (!best || target.inFlight < best.inFlight) best = target;
    }
    return best ?? this.#sorted[this.#table?.at(start) ?? 0];
  }

  /** Keeps the table unless names or registered weights change: effective weights change each second during slow start. */
  #prepare(targets: readonly Target[]): void {
    this.#targets = targets;
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

/** Compares with a sample: the cost of a pick must not grow with the number of targets. */
function isWithinBound(target: Target, targets: readonly Target[]): boolean {
  if (target.inFlight < 2) return true;
  const samples = Math.min(targets.length, 16);
  let total = 0;
  for (let sample = 0; sample < samples; sample++)
    total += targets[Math.floor((sample * targets.length) / samples)]?.inFlight ?? 0;
  return target.inFlight < Math.ceil(BOUND * (total / samples + 1));
}
