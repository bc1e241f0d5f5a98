import { Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { NamesItsModule } from './errors/provided-by.js';
import type { CallOptions, FallbackOptions } from './calling/options/call-options.js';
import { withCalls } from './calling/call-explanation.js';
import type { Attempt } from './calling/running-attempt.js';
import { ServiceCaller } from './calling/service-caller.js';
import type { ServiceExplanation } from './catalog/explanation.js';
import { ServiceCatalog } from './catalog/service-catalog.js';
import { usableInstances, type ServiceSnapshot } from './catalog/service-snapshot.js';
import type { ServiceInstance } from './registry/service-instance.js';
import type { ServiceQuery } from './registry/service-query.js';

const SERVICES_TIMEOUT_MS = 5_000;

/**
 * Finds the instances of services, from memory. The first use of a service starts a watch on it; from then on every result
 * comes from the local snapshot, which stays available when the registry does not.
 *
 * @example
 * ```ts
 * // Injected: constructor(private readonly discovery: DiscoveryService) {}
 * const instances = await discovery.getInstances('inventory', { tags: ['v1'] });
 * discovery.watch('inventory').subscribe(({ passing }) => console.log(passing.length));
 * ```
 */
@Injectable()
@NamesItsModule()
export class DiscoveryService {
  readonly #catalog: ServiceCatalog;
  readonly #caller: ServiceCaller;

  constructor(catalog: ServiceCatalog, caller: ServiceCaller) {
    this.#catalog = catalog;
    this.#caller = caller;
  }

  /**
   * The usable instances: those in status *passing*, with `includeWarning` also those in *warning*; where none is passing,
   * those in *warning* in any case.
   *
   * @throws DiscoveryError `RK_REGISTRY_UNREACHABLE` when the registry has never answered for this service
   */
  async getInstances(service: string, query: ServiceQuery = {}): Promise<readonly ServiceInstance[]> {
    return usableInstances(await this.#catalog.snapshot(service, query), query);
  }

  /** The names of all services, sorted; read from the registry each time. Deadline: 5 s. */
  async getServices(): Promise<string[]> {
    return this.#catalog.services(AbortSignal.timeout(SERVICES_TIMEOUT_MS));
  }

  /**
   * The current snapshot as soon as there is one, then each change; it never errors, and completes on shutdown. A
   * subscriber that throws is logged, and is called again with the next snapshot.
   */
  watch(service: string, query: ServiceQuery = {}): Observable<ServiceSnapshot> {
    return this.#catalog.watch(service, query);
  }

  /**
   * Picks an instance as a call would, and takes its turn; by `hashKey` with strategies that use keys.
   *
   * @throws DiscoveryError `RK_NO_INSTANCES`, or `RK_REGISTRY_UNREACHABLE` when there has never been a list
   */
  async choose(
    service: string,
    query?: ServiceQuery,
    options: Pick<CallOptions, 'hashKey' | 'strategy'> = {},
  ): Promise<ServiceInstance> {
    return this.#caller.choose(service, query, options);
  }

  /**
   * Explains why calls go where they go: the state of each list of the service, and of each instance, with the reason.
   * `GET /discovery/<service>` returns the same for every query that is in use.
   */
  async explain(service: string, query: ServiceQuery = {}): Promise<ServiceExplanation> {
    return withCalls(await this.#catalog.explain(service, query), this.#caller);
  }

  /**
   * Makes a call over any transport: `attempt` receives an instance and a signal that aborts at its deadline, and runs
   * again on another instance when its error shows that nothing was sent; with `idempotent: true` also after other
   * connection failures. Where the transport has errors of its own, `isFailure` decides which of them count.
   *
   * @example
   * ```ts
   * const response = await discovery.call(
   *   'inventory',
   *   ({ address, port }, signal, { headers }) => fetch(`http://${address}:${port}/books/1`, { signal, headers }),
   *   { idempotent: true },
   * );
   * const book = await response.json(); // a Response counts as HTTP: a 503 was retried elsewhere
   * ```
   * @throws CallError with every attempt: `RK_CALL_FAILED`, `RK_CALL_TIMEOUT`; `RK_CIRCUIT_OPEN`, `RK_OVERLOADED` without one
   * @throws DiscoveryError `RK_NO_INSTANCES`, or `RK_REGISTRY_UNREACHABLE` when there has never been a list
   */
  async call<T>(service: string, attempt: Attempt<T>, options: FallbackOptions<T> = {}): Promise<T> {
    return (await this.#caller.call(service, attempt, options)).value;
  }
}
