import { errorMessage } from '../../errors/error-message.js';
import type { Random } from '../../timing/clock.js';
import type { LoadBalancer, PickContext, Target } from '../load-balancer.js';
import { createBalancer, type Strategy } from './strategies.js';

export interface StrategyCacheOptions {
  readonly random: Random;
  /** A strategy threw; called once. */
  readonly onFailure: (strategy: string, reason: string) => void;
}

/** Bounded, because a class that is created for each call is a new strategy each time. */
const MAX_STRATEGIES = 50;

/** The balancers of one pool: one for each strategy and group of targets, since a balancer may keep state about its targets. */
export class StrategyCache {
  readonly #options: StrategyCacheOptions;
  readonly #balancers = new Map<Strategy, Map<string, LoadBalancer>>();
  #hasFailed = false;

  constructor(options: StrategyCacheOptions) {
    this.#options = options;
  }

  get(strategy: Strategy, group: string): LoadBalancer {
    let byGroup = this.#balancers.get(strategy);
    if (!byGroup) {
      if (this.#balancers.size >= MAX_STRATEGIES) this.#balancers.clear();
      this.#balancers.set(strategy, (byGroup = new Map<string, LoadBalancer>()));
    }
    let balancer = byGroup.get(group);
    if (!balancer) byGroup.set(group, (balancer = createBalancer(strategy, this.#options.random)));
    return balancer;
  }

  /** Undefined when a custom strategy throws, so that its error costs no call. */
  pick(
    balancer: LoadBalancer,
    strategy: Strategy,
    targets: readonly Target[],
    context: PickContext,
  ): Target | undefined {
    try {
      return balancer.pick(targets, context);
    } catch (error) {
      if (!this.#hasFailed) {
        this.#hasFailed = true;
        const name = typeof strategy === 'string' ? strategy : strategy.name;
        this.#options.onFailure(name, errorMessage(error));
      }
      return undefined;
    }
  }
}
