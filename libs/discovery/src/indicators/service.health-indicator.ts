import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { NamesItsModule } from '../errors/provided-by.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import { usableInstances } from '../catalog/service-snapshot.js';
import { errorMessage } from '../errors/error-message.js';
import type { ServiceQuery } from '../registry/service-query.js';
import type { Clock } from '../timing/clock.js';
import { withTimeout } from '../timing/with-timeout.js';

export interface ServiceAvailabilityOptions {
  /** The minimum number of usable instances. Default: 1. */
  atLeast?: number;
  /** The status when there are fewer. Default: `down`. */
  otherwise?: 'down' | 'degraded';
  /** Which instances count. Default: all. */
  query?: ServiceQuery;
  /** The key of the result. Default: the name of the service. */
  key?: string;
}

/**
 * Whether another service is available, for the health check of an app that cannot work without it.
 *
 * @example
 * ```ts
 * @HealthContributor()
 * inventory() {
 *   return this.services.isAvailable('inventory', { atLeast: 2, otherwise: 'degraded' });
 * }
 * ```
 */
@Injectable()
@NamesItsModule()
export class ServiceHealthIndicator {
  readonly #catalog: ServiceCatalog;
  readonly #clock: Clock;
  readonly #withinMs: number;

  /** @param withinMs how long the first use waits for a list: less than a contributor has */
  constructor(catalog: ServiceCatalog, clock: Clock, withinMs: number) {
    this.#catalog = catalog;
    this.#clock = clock;
    this.#withinMs = withinMs;
  }

  /** From memory, after the first use, which waits for half of `health.timeout` at most; never rejects. */
  async isAvailable(
    service: string,
    { atLeast = 1, otherwise = 'down', query = {}, key = service }: ServiceAvailabilityOptions = {},
  ): Promise<HealthIndicatorResult> {
    const tooLate = (): Error => new Error(`no list within ${this.#withinMs} ms`);
    const listed = withTimeout(this.#clock, this.#withinMs, this.#catalog.snapshot(service, query), tooLate);
    const found = await listed.then(
      (snapshot) => ({ instances: usableInstances(snapshot, query).length, message: undefined }),
      (error: unknown) => ({ instances: 0, message: errorMessage(error) }),
    );
    const { instances } = found;
    if (instances >= atLeast) return { [key]: { status: 'up', instances } };
    const message = found.message ?? `${instances} usable instances, at least ${atLeast} required`;
    return { [key]: { status: otherwise, instances, message } };
  }
}
