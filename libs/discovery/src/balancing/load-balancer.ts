import type { ServiceInstance } from '../registry/service-instance.js';

/** An instance as the calls of this app see it. The numbers change with every call; the object stays the same. */
export interface Target {
  /** As the registry describes it at present. */
  readonly instance: ServiceInstance;
  /** Its share of the traffic relative to the others: what is registered, less while it is new. Above 0. */
  readonly weight: number;
  /** Calls of this app that it has not answered yet. */
  readonly inFlight: number;
  /** Peak EWMA of how long it takes to answer, in milliseconds; 0: nothing is known of late. */
  readonly latency: number;
  /** Share of its recent calls that did not fail, 0 to 1. */
  readonly successRate: number;
}

/** What a pick may depend on, besides the targets. */
export interface PickContext {
  /** Calls of one key go to one instance, for the strategies that know keys. */
  readonly hashKey?: string | undefined;
  /** 0 for a call's first attempt, 1 for the next one. */
  readonly attempt: number;
}

/**
 * A strategy: which of these is to take the next attempt. One object for each client of a service, and for each zone
 * that it calls.
 *
 * The targets are one and the same frozen array until an instance comes or goes or a weight changes, so that whatever a
 * strategy computes of them may be kept as long as the array is the same one. It is never empty. When the call has been
 * at the target already, it is asked again, and after a few times somebody else is taken.
 *
 * @example
 * ```ts
 * class FewestFailures extends LoadBalancer {
 *   override pick(targets: readonly Target[]) {
 *     return targets.reduce((best, next) => (next.successRate > best.successRate ? next : best));
 *   }
 * }
 *
 * constructor(@ServiceClient('inventory', { strategy: FewestFailures }) private readonly inventory: HttpService) {}
 * ```
 */
export abstract class LoadBalancer {
  abstract pick(targets: readonly Target[], context: PickContext): Target | undefined;
}
