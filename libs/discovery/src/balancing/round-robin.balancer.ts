import type { ServiceInstance } from '../registry/service-instance.js';
import type { Random } from '../timing/clock.js';
import { LoadBalancer, type PickContext } from './load-balancer.js';

/** Each instance in turn. The start is random: clients that start together must not all begin with the same instance. */
export class RoundRobinBalancer extends LoadBalancer {
  #turn: number;

  constructor(random: Random) {
    super();
    this.#turn = Math.floor(random() * 2 ** 30);
  }

  override pick(instances: readonly ServiceInstance[], { tried }: PickContext): ServiceInstance | undefined {
    for (const _ of instances) {
      this.#turn = (this.#turn + 1) % Number.MAX_SAFE_INTEGER;
      const instance = instances[this.#turn % instances.length];
      if (instance && !tried.has(instance.id)) return instance;
    }
    return undefined;
  }
}
