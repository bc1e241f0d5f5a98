import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { NamesItsModule } from '../errors/provided-by.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import { errorMessage } from '../errors/error-message.js';
import type { RegistrationService } from '../registration/registration.service.js';
import type { ServiceRegistry } from '../registry/service-registry.js';

const PING_TIMEOUT_MS = 2_000;

/**
 * The state of the registry, for a Terminus check of the app: `degraded` while it is unreachable, has no leader, or does not
 * hold the app's registration. Never `down`, since the app works without it.
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
@NamesItsModule()
export class RegistryHealthIndicator {
  readonly #registry: ServiceRegistry;
  readonly #registration: RegistrationService;
  readonly #catalog: ServiceCatalog;
  readonly #withinMs: number;

  /** @param withinMs how long it waits for the registry: less than a contributor has */
  constructor(
    registry: ServiceRegistry,
    registration: RegistrationService,
    catalog: ServiceCatalog,
    withinMs: number,
  ) {
    this.#withinMs = Math.min(PING_TIMEOUT_MS, withinMs);
    this.#registry = registry;
    this.#registration = registration;
    this.#catalog = catalog;
  }

  /**
   * Pings the registry, for up to 2 s or half of `health.timeout`, and never rejects; a contributor with a `timeout` of its own needs more than that. The result has `leader`, the `registration` state, and
   * `oldestListMs`: milliseconds since the most outdated list was confirmed.
   */
  async isHealthy(key = 'registry'): Promise<HealthIndicatorResult> {
    const ping = await this.#registry.ping(AbortSignal.timeout(this.#withinMs)).catch((error: unknown) => ({
      leader: false,
      failure: errorMessage(error),
    }));
    const { state } = this.#registration.status;
    const oldestListMs = this.#catalog.oldestStalenessMs();
    const problems: string[] = [];
    if ('failure' in ping) problems.push(ping.failure);
    else if (!ping.leader) problems.push('the registry has no leader');
    if (state === 'pending' || state === 'unconfirmed') problems.push(`the registration is ${state}`);
    if (oldestListMs !== undefined) problems.push(`a list has not been confirmed for ${oldestListMs} ms`);
    const data = {
      leader: ping.leader,
      registration: state,
      ...(oldestListMs === undefined ? {} : { oldestListMs }),
    };
    if (problems.length === 0) return { [key]: { status: 'up', ...data } };
    const degraded = { [key]: { status: 'degraded', message: problems.join('; '), ...data } };
    return degraded as HealthIndicatorResult;
  }
}
