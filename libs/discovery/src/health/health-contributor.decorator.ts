import { SetMetadata } from '@nestjs/common';
import { DURATION_CURE, parseDuration, type Duration } from '../configuration/duration.js';
import { configInvalid, type OptionMistake } from '../configuration/validate-options.js';

export const HEALTH_CONTRIBUTOR = 'rookery:health-contributor';

/**
 * `liveness`: restart me when this fails. `readiness`: send me no traffic while this fails. Any other name is a group of
 * your own, answered at `<health path>/<name>` and counted nowhere else.
 */
export type HealthGroup = 'liveness' | 'readiness' | (string & {});

export interface HealthContributorOptions {
  /** Default: `['readiness']`. */
  groups?: readonly HealthGroup[];
  /** How long it may take. Default: `health.timeout`, 4 s. */
  timeout?: Duration;
}

const GROUP = /^[a-z][a-z0-9-]*$/;
/** Their paths, and what is likely to be meant for them: a group of its own would count nowhere. */
const LOOKS_KNOWN = /^(live|read)/;
const KNOWN: ReadonlySet<string> = new Set(['liveness', 'readiness']);

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
 * @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong group or timeout
 */
export function HealthContributor(options: HealthContributorOptions = {}): MethodDecorator {
  const groups = options.groups ?? ['readiness'];
  const mistakes: OptionMistake[] = groups
    .filter((group) => !KNOWN.has(group) && (LOOKS_KNOWN.test(group) || !GROUP.test(group)))
    .map((group) => ({
      field: 'groups',
      value: JSON.stringify(group),
      cure:
        "must be 'liveness' or 'readiness', or a name of your own in small letters, digits and dashes " +
        "that does not begin with 'live' or 'read'",
    }));
  if (groups.length === 0) mistakes.push({ field: 'groups', cure: 'must have at least one group' });
  if (options.timeout !== undefined && !parseDuration(options.timeout))
    mistakes.push({ field: 'timeout', value: JSON.stringify(options.timeout), cure: DURATION_CURE });
  if (mistakes.length > 0) throw configInvalid('@HealthContributor', mistakes);
  return SetMetadata(HEALTH_CONTRIBUTOR, { groups, timeout: options.timeout });
}
