import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type Target } from '../load-balancer.js';
import { smoothSequence } from './smooth-sequence.js';

/** Each target in turn, in proportion to its weight and evenly distributed: 5:1:1 is `aabaaca`, not `aaaaabc`. */
export class WeightedRoundRobinBalancer extends LoadBalancer {
  readonly #random: Random;
  #targets: readonly Target[] | undefined;
  #sequence = new Int32Array(1);
  #turn = 0;

  constructor(random: Random) {
    super();
    this.#random = random;
  }

  override pick(targets: readonly Target[]): Target | undefined {
    if (this.#targets !== targets) this.#prepare(targets);
    this.#turn = this.#turn + 1 >= this.#sequence.length ? 0 : this.#turn + 1;
    return targets[this.#sequence[this.#turn] ?? 0];
  }

  #prepare(targets: readonly Target[]): void {
    this.#targets = targets;
    this.#sequence = smoothSequence(targets.map(({ weight }) => weight)) as Int32Array<ArrayBuffer>;
    // A random start: clients that see a change at the same time must not go through the round in step.
    this.#turn = Math.floor(this.#random() * this.#sequence.length);
  }
}
