import { SetMetadata } from '@nestjs/common';
import { DiscoveryError } from '../errors/discovery-error.js';

export const HEALTH_CONTRIBUTOR = 'rookery:health-contributor';

const GROUPS: ReadonlySet<string> = new Set(['liveness', 'readiness']);

/** `liveness`: restart me when this fails. `readiness`: send me no traffic while this fails. */
export type HealthGroup = 'liveness' | 'readiness';

export interface HealthContributorOptions {
  /** Default: `['readiness']`. */
  groups?: readonly HealthGroup[];
}

/**
 * Makes a provider's method part of the app's health: it returns a Terminus result.
 *
 * @example
 * ```ts
 * @HealthContributor()
 * database() {
 *   return this.indicators.check('database').attempt(() => this.pool.query('select 1'));
 * }
 * ```
 * @throws DiscoveryError `RK_CONFIG_INVALID` for an unknown group
 */
export function HealthContributor(options: HealthContributorOptions = {}): MethodDecorator {
  const groups = options.groups ?? ['readiness'];
  const unknown = groups.filter((group) => !GROUPS.has(group));
  if (unknown.length > 0) {
    throw new DiscoveryError(
      'RK_CONFIG_INVALID',
      `@HealthContributor: groups: ${JSON.stringify(unknown)} unknown`,
      {
        hint: `Known here: ${[...GROUPS].join(', ')}`,
      },
    );
  }
  return SetMetadata(HEALTH_CONTRIBUTOR, { groups });
}
