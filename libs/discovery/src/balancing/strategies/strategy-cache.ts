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
  /** Undefined: its constructor threw. */
  readonly #balancers = new Map<Strategy, Map<string, LoadBalancer | undefined>>();
  #hasFailed = false;

  constructor(options: StrategyCacheOptions) {
    this.#options = options;
  }

  /** Undefined when the constructor of a custom strategy throws. */
  get(strategy: Strategy, group: string): LoadBalancer | undefined {
    let byGroup = this.#balancers.get(strategy);
    if (!byGroup) {
      if (this.#balancers.size >= MAX_STRATEGIES) this.#balancers.clear();
      this.#balancers.set(strategy, (byGroup = new Map<string, LoadBalancer | undefined>()));
    }
    if (!byGroup.has(group)) byGroup.set(group, this.#create(strategy));
    return byGroup.get(group);
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
      this.#failed(strategy, error);
      return undefined;
    }
  }

  #create(strategy: Strategy): LoadBalancer | undefined {
    try {
      return createBalancer(strategy, this.#options.random);
    } catch (error) {
      this.#failed(strategy, error);
      return undefined;
    }
  }

  #failed(strategy: Strategy, error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const name = typeof strategy === 'string' ? strategy : strategy.name;
    this.#options.onFailure(name, errorMessage(error));
  }
}
