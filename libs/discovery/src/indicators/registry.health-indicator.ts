import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import { reasonOf } from '../errors/error-message.js';
import type { RegistrationService } from '../registration/registration.service.js';
import type { ServiceRegistry } from '../registry/service-registry.js';

const PING_TIMEOUT_MS = 2_000;

/**
 * How things stand with the registry, for a Terminus check of the app's own: `degraded` while it is away, has no leader
 * or has not registered us, and never `down`, since the app goes on without it.
 *
 * @example
 * ```ts
 * @HealthContributor({ groups: ['registry'] })
 * registry() {
 *   return this.registryHealth.isHealthy();
 * }
 * ```
 */
@Injectable()
export class RegistryHealthIndicator {
  readonly #registry: ServiceRegistry;
  readonly #registration: RegistrationService;
  readonly #catalog: ServiceCatalog;

  constructor(registry: ServiceRegistry, registration: RegistrationService, catalog: ServiceCatalog) {
    this.#registry = registry;
    this.#registration = registration;
    this.#catalog = catalog;
  }

  /**
   * Asks the registry, for 2 s at most, and never rejects. The result holds `leader`, the `registration` state, and
   * `oldestList`: for how many milliseconds the list that is out of date the longest has not been confirmed.
   */
  async isHealthy(key = 'registry'): Promise<HealthIndicatorResult> {
    const ping = await this.#registry.ping(AbortSignal.timeout(PING_TIMEOUT_MS)).catch((error: unknown) => ({
      leader: false,
      failure: reasonOf(error),
    }));
    const { state } = this.#registration.status;
    const oldestList = this.#catalog.oldestStaleness();
    const wrong: string[] = [];
    if ('failure' in ping) wrong.push(ping.failure);
    else if (!ping.leader) wrong.push('it has no leader');
    if (state === 'waiting' || state === 'unreachable') wrong.push(`our registration is ${state}`);
    if (oldestList !== undefined) wrong.push(`a list has not been confirmed for ${oldestList} ms`);
    const data = {
      leader: ping.leader,
      registration: state,
      ...(oldestList === undefined ? {} : { oldestList }),
    };
    if (wrong.length === 0) return { [key]: { status: 'up', ...data } };
    const degraded = { [key]: { status: 'degraded', message: wrong.join('; '), ...data } };
    return degraded as HealthIndicatorResult;
  }
}
