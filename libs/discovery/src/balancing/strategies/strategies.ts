import type { Random } from '../../timing/clock.js';
import { ConsistentHashBalancer } from './consistent-hash.balancer.js';
import { LeastRequestsBalancer } from './least-requests.balancer.js';
import { LoadBalancer } from '../load-balancer.js';
import { PeakEwmaBalancer } from './peak-ewma.balancer.js';
import { PrequalBalancer } from './prequal.balancer.js';
import { RandomBalancer } from './random.balancer.js';
import { ReportedLoadBalancer } from './reported-load.balancer.js';
import { RoundRobinBalancer } from './round-robin.balancer.js';
import { StickyBalancer } from './sticky.balancer.js';
import { WeightedRandomBalancer } from './weighted-random.balancer.js';
import { WeightedRoundRobinBalancer } from './weighted-round-robin.balancer.js';

const STRATEGIES = {
  'p2c-ewma': PeakEwmaBalancer,
  'p2c-load': ReportedLoadBalancer,
  prequal: PrequalBalancer,
  'least-requests': LeastRequestsBalancer,
  'round-robin': RoundRobinBalancer,
  'weighted-round-robin': WeightedRoundRobinBalancer,
  random: RandomBalancer,
  'weighted-random': WeightedRandomBalancer,
  'consistent-hash': ConsistentHashBalancer,
  sticky: StickyBalancer,
} as const;

/**
 * | name | which instance takes the next call |
 * |---|---|
 * | `p2c-ewma` | the better of two by latency x (calls in flight + 1); the default |
 * | `p2c-load` | the better of two, or three, by that and the load that the servers report |
 * | `prequal` | the fastest that is not busy, by reports and by probes between calls |
 * | `least-requests` | the one of two with fewer calls in flight |
 * | `round-robin`, `weighted-round-robin` | the next in turn; in proportion to its weight |
 * | `random`, `weighted-random` | any; in proportion to its weight |
 * | `consistent-hash` | the one that the call's `hashKey` maps to, the same on all clients |
 * | `sticky` | the one that took the previous call with the `hashKey`, or the client's first call |
 */
export type StrategyName = keyof typeof STRATEGIES;

/** A built-in strategy by its name, or a class of your own. */
export type Strategy = StrategyName | (new (random: Random) => LoadBalancer);

export const STRATEGY_NAMES = Object.keys(STRATEGIES) as readonly StrategyName[];

export function isStrategy(value: unknown): value is Strategy {
  if (typeof value === 'string') return Object.hasOwn(STRATEGIES, value);
  return typeof value === 'function' && value.prototype instanceof LoadBalancer;
}

export function createBalancer(strategy: Strategy, random: Random): LoadBalancer {
  const Balancer = typeof strategy === 'string' ? STRATEGIES[strategy] : strategy;
  return new Balancer(random);
}

/** Servers are asked for their load with each call. */
export function needsReports(strategy: Strategy): boolean {
  return strategy === 'p2c-load' || strategy === 'prequal';
}

/** Servers are asked for their load between calls, too. */
export function needsProbes(strategy: Strategy): boolean {
  return strategy === 'prequal';
}

/** Its keys map to instances of the whole service, which neither zones nor subsets may split. */
export function needsWholeService(strategy: Strategy): boolean {
  return strategy === 'consistent-hash' || strategy === 'sticky';
}
