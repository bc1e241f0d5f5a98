import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type Target } from '../load-balancer.js';

const MOST_TURNS = 2 ** 30; // V8 keeps it without a heap number

/** Each in turn. The start is random: clients that start together must not all begin with the same instance. */
export class RoundRobinBalancer extends LoadBalancer {
  #turn: number;

  constructor(random: Random) {
    super();
    this.#turn = Math.floor(random() * MOST_TURNS);
  }

  override pick(targets: readonly Target[]): Target | undefined {
    this.#turn = this.#turn >= MOST_TURNS ? 0 : this.#turn + 1;
    return targets[this.#turn % targets.length];
  }
}
