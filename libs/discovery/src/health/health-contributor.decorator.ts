import { SetMetadata } from '@nestjs/common';

export const HEALTH_CONTRIBUTOR = 'rookery:health-contributor';

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
 */
export function HealthContributor(options: HealthContributorOptions = {}): MethodDecorator {
  return SetMetadata(HEALTH_CONTRIBUTOR, { groups: options.groups ?? ['readiness'] });
}
