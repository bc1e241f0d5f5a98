import type { ServiceInstance } from '../registry/service-instance.js';

export interface PickContext {
  /** Ids of the instances that this call has tried already. */
  readonly tried: ReadonlySet<string>;
}

/** A strategy: which of these instances is to take the next attempt. One object for each client of a service. */
export abstract class LoadBalancer {
  /** @returns undefined when every instance has been tried, or there is none */
  abstract pick(instances: readonly ServiceInstance[], context: PickContext): ServiceInstance | undefined;
}
