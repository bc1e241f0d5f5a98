import type { ServiceInstance } from '../registry/service-instance.js';
import type { ReportedLoad } from './target/reported-load.js';

/** An instance with the statistics of this app's calls to it. The numbers change with every call; the object stays the same. */
export interface Target {
  /** The instance as the registry currently describes it. */
  readonly instance: ServiceInstance;
  /** Its share of the traffic relative to the others: the registered weight, less during slow start. Above 0. */
  readonly weight: number;
  /** Calls of this app in flight. */
  readonly inFlight: number;
  /** Peak EWMA of its latency, in milliseconds; 0: unknown. */
  readonly latencyMs: number;
  /** Share of its recent calls that did not fail, 0 to 1. */
  readonly successRate: number;
  /** Whether a call of this app to it ever succeeded. */
  readonly hasSucceeded: boolean;
  /** What its server says of its own load, to clients that ask with the strategy `p2c-load`. */
  readonly reported: Readonly<ReportedLoad>;
}

/** What a pick depends on, besides the targets. */
export interface PickContext {
  /** Calls with the same key go to the same instance, with strategies that use keys. */
  readonly hashKey?: string | undefined;
  /** 0 for a call's first attempt, 1 for the next one. */
  readonly attempt: number;
}

/**
 * A strategy: picks the target of the next attempt. There is one object for each service, query and zone.
 *
 * The array of targets is frozen, never empty, and the same object until an instance joins or leaves or a weight changes,
 * so that a strategy may cache what it computes from them for as long as the array is the same. When the picked target has
 * already been tried by the call, the strategy is asked again, and after a few times another target is taken.
 *
 * @example
 * ```ts
 * class FewestFailures extends LoadBalancer {
 *   override pick(targets: readonly Target[]) {
 *     return targets.reduce((best, next) => (next.successRate > best.successRate ? next : best));
 *   }
 * }
 *
 * // @ServiceClient('inventory', { strategy: FewestFailures }), or for all calls of the app:
 * ConsulModule.forRoot({ clients: { strategy: FewestFailures } });
 * ```
 */
export abstract class LoadBalancer {
  abstract pick(targets: readonly Target[], context: PickContext): Target | undefined;
}
