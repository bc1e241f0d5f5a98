import type { Random } from '../../timing/clock.js';
import { LoadBalancer, type Target } from '../load-balancer.js';

const MAX_TURN = 2 ** 30; // V8 stores such an integer without a heap number

/** Each target in turn. The start is random: clients that start together must not all begin with the same instance. */
export class RoundRobinBalancer extends LoadBalancer {
  #turn: number;

  constructor(random: Random) {
    super();
    this.#turn = Math.floor(random() * MAX_TURN);
  }

  override pick(targets: readonly Target[]): Target | undefined {
    this.#turn = this.#turn >= MAX_TURN ? 0 : this.#turn + 1;
    return targets[this.#turn % targets.length];
  }
}
