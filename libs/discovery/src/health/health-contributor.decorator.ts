import { SetMetadata } from '@nestjs/common';
import { DURATION_HINT, parseDuration, type Duration } from '../configuration/duration.js';
import { invalidConfigError, type OptionIssue } from '../configuration/validate-options.js';

export const HEALTH_CONTRIBUTOR = 'rookery:health-contributor';

/**
 * `liveness`: the app has to be restarted when it fails. `readiness`: the app takes no traffic while it fails. Any other name
 * is a custom group with an endpoint at `<health path>/<name>`, which counts nowhere else.
 */
export type HealthGroup = 'liveness' | 'readiness' | (string & {});

export interface HealthContributorOptions {
  /** Default: `['readiness']`. */
  groups?: readonly HealthGroup[];
  /**
   * The key of its result when it throws or hangs before it has returned one; after that it is the key that it returned last. Default: `Class.method`.
   */
  name?: string;
  /** The limit of this contributor. Default: `health.timeout`, 4 s. */
  timeout?: Duration;
}

const GROUP = /^[a-z][a-z0-9-]*$/;
/** Names that are likely meant to be `liveness` or `readiness`: as custom groups they would count nowhere. */
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
  const issues: OptionIssue[] = groups
    .filter((group) => !KNOWN.has(group) && (LOOKS_KNOWN.test(group) || !GROUP.test(group)))
    .map((group) => ({
      field: 'groups',
      value: JSON.stringify(group),
      hint:
        "must be 'liveness' or 'readiness', or a custom name of lower-case letters, digits and dashes " +
        "that does not begin with 'live' or 'read'",
    }));
  if (groups.length === 0) issues.push({ field: 'groups', hint: 'must have at least one group' });
  if (options.timeout !== undefined && !parseDuration(options.timeout))
    issues.push({ field: 'timeout', value: JSON.stringify(options.timeout), hint: DURATION_HINT });
  if (options.name?.trim() === '')
    issues.push({ field: 'name', value: "''", hint: "must be a name such as 'database'" });
  if (issues.length > 0) throw invalidConfigError('@HealthContributor', issues);
  return SetMetadata(HEALTH_CONTRIBUTOR, { groups, name: options.name, timeout: options.timeout });
}
