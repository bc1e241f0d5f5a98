import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import { usableInstances } from '../catalog/service-snapshot.js';
import { reasonOf } from '../errors/error-message.js';
import type { ServiceQuery } from '../registry/service-query.js';

export interface ServiceAvailabilityOptions {
  /** How many instances there have to be. Default: 1. */
  atLeast?: number;
  /** What it is when there are fewer. Default: `down`. */
  otherwise?: 'down' | 'degraded';
  /** Which instances count. Default: all that pass. */
  query?: ServiceQuery;
  /** The name of the result. Default: the service's. */
  key?: string;
}

/**
 * Whether another service is there, for a health check of an app that is of no use without it.
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
export class ServiceHealthIndicator {
  readonly #catalog: ServiceCatalog;

  constructor(catalog: ServiceCatalog) {
    this.#catalog = catalog;
  }

  /** From memory, after the first time; never rejects. */
  async isAvailable(
    service: string,
    { atLeast = 1, otherwise = 'down', query = {}, key = service }: ServiceAvailabilityOptions = {},
  ): Promise<HealthIndicatorResult> {
    const found = await this.#catalog.snapshot(service, query).then(
      (snapshot) => ({ instances: usableInstances(snapshot, query).length, message: undefined }),
      (error: unknown) => ({ instances: 0, message: reasonOf(error) }),
    );
    const { instances } = found;
    if (instances >= atLeast) return { [key]: { status: 'up', instances } };
    const message = found.message ?? `${instances} of at least ${atLeast} instances`;
    return { [key]: { status: otherwise, instances, message } };
  }
}
