import { z } from 'zod';
import type { Duration } from '../../configuration/duration.js';
import {
  durationSchema,
  integer,
  nonEmptyString,
  type OptionShape,
} from '../../configuration/validate-options.js';
import type { AlertSeverity } from '../alert.js';
import type { AlertTiming } from '../alert-rule.js';

/** What all rules have. */
export interface CommonRuleOptions extends AlertTiming {
  /** Default: by the rule. */
  severity?: AlertSeverity;
  /** `alertname`. Default: by the type of the rule. */
  name?: string;
}

/** Fewer than so many healthy instances. Those in maintenance count, and so do those that a deploy has just taken away. */
export interface InstancesRuleOptions extends CommonRuleOptions {
  type: 'instances';
  service: string;
  /** Default: 1. */
  atLeast?: number;
  /** How long an instance that left while it was healthy is not missed. Default: `'2m'`. */
  deployGrace?: Duration;
}

/** The status of an instance changes over and over. */
export interface FlappingRuleOptions extends CommonRuleOptions {
  type: 'flapping';
  /** Default: all services in use. */
  service?: string;
  /** Changes of status. Default: 6. */
  changes?: number;
  /** Default: `'10m'`. */
  within?: Duration;
}

/** The checks of an instance have not passed once since it was listed. */
export interface NeverPassedRuleOptions extends CommonRuleOptions {
  type: 'never-passed';
  /** Default: all services in use. */
  service?: string;
}

/** Too many calls of this app to a service fail, after all attempts. */
export interface ErrorsRuleOptions extends CommonRuleOptions {
  type: 'errors';
  /** Default: all services that are called. */
  service?: string;
  /** The share of failed calls above which it is wrong, 0 to 1. Default: 0.05. */
  above?: number;
  /** Below this many calls a share says nothing. Default: 20. */
  minimumCalls?: number;
  /** Default: `'1m'`. */
  within?: Duration;
}

/** Calls of this app to a service take too long, with all attempts and waits. */
export interface LatencyRuleOptions extends CommonRuleOptions {
  type: 'latency';
  /** Default: all services that are called. */
  service?: string;
  /** Which share of the calls is to be fast. Default: 0.99. */
  quantile?: number;
  above: Duration;
  /** Default: 20. */
  minimumCalls?: number;
  /** Default: `'1m'`. */
  within?: Duration;
}

/** The list of a service cannot be updated. */
export interface ListAgeRuleOptions extends CommonRuleOptions {
  type: 'list-age';
  /** Default: all services in use. */
  service?: string;
  /** Default: `'5m'`; it is at most about 64 s while all is well. */
  olderThan?: Duration;
}

/** The app is not registered, or something else keeps undoing its registration. */
export interface RegistrationRuleOptions extends CommonRuleOptions {
  type: 'registration';
}

/** The content of a key of the live configuration cannot be used. */
export interface ConfigRuleOptions extends CommonRuleOptions {
  type: 'config';
}

/** A lock is held for longer than its `warnAfter`. */
export interface LockRuleOptions extends CommonRuleOptions {
  type: 'lock';
}

export type AlertRuleOptions =
  | InstancesRuleOptions
  | FlappingRuleOptions
  | NeverPassedRuleOptions
  | ErrorsRuleOptions
  | LatencyRuleOptions
  | ListAgeRuleOptions
  | RegistrationRuleOptions
  | ConfigRuleOptions
  | LockRuleOptions;

const service = nonEmptyString('must be the name of a service');
const common = {
  severity: z
    .enum(['critical', 'warning', 'info'], { error: "must be 'critical', 'warning' or 'info'" })
    .optional(),
  name: z
    .string({ error: 'must be a name such as TooFewInstances' })
    .regex(/^[A-Za-z_]\w*$/, { error: 'must be a name such as TooFewInstances, as Prometheus allows it' })
    .optional(),
  for: durationSchema(0).optional(),
  keepFiringFor: durationSchema(0).optional(),
} satisfies OptionShape<CommonRuleOptions>;

function share(example: string): z.ZodNumber {
  const error = `must be a number from 0 to 1, such as ${example}`;
  return z.number({ error }).min(0, { error }).max(1, { error });
}

export const ruleOptionsSchema = z.discriminatedUnion(
  'type',
  [
    z.strictObject({
      type: z.literal('instances'),
      service,
      atLeast: integer(1, 10_000).optional(),
      deployGrace: durationSchema(0).optional(),
      ...common,
    } satisfies OptionShape<InstancesRuleOptions>),
    z.strictObject({
      type: z.literal('flapping'),
      service: service.optional(),
      changes: integer(2, 1_000).optional(),
      within: durationSchema(1_000, 3_600_000).optional(),
      ...common,
    } satisfies OptionShape<FlappingRuleOptions>),
    z.strictObject({
      type: z.literal('never-passed'),
      service: service.optional(),
      ...common,
    } satisfies OptionShape<NeverPassedRuleOptions>),
    z.strictObject({
      type: z.literal('errors'),
      service: service.optional(),
      above: share('0.05').optional(),
      minimumCalls: integer(1, 1_000_000).optional(),
      within: durationSchema(1_000, 3_600_000).optional(),
      ...common,
    } satisfies OptionShape<ErrorsRuleOptions>),
    z.strictObject({
      type: z.literal('latency'),
      service: service.optional(),
      quantile: share('0.99').gt(0, { error: 'must be more than 0' }).optional(),
      above: durationSchema(1, 1_800_000),
      minimumCalls: integer(1, 1_000_000).optional(),
      within: durationSchema(1_000, 3_600_000).optional(),
      ...common,
    } satisfies OptionShape<LatencyRuleOptions>),
    z.strictObject({
      type: z.literal('list-age'),
      service: service.optional(),
      olderThan: durationSchema(1_000).optional(),
      ...common,
    } satisfies OptionShape<ListAgeRuleOptions>),
    z.strictObject({
      type: z.literal('registration'),
      ...common,
    } satisfies OptionShape<RegistrationRuleOptions>),
    z.strictObject({ type: z.literal('config'), ...common } satisfies OptionShape<ConfigRuleOptions>),
    z.strictObject({ type: z.literal('lock'), ...common } satisfies OptionShape<LockRuleOptions>),
  ],
  {
    error:
      "its type must be 'instances', 'flapping', 'never-passed', 'errors', 'latency', 'list-age', 'registration', 'config' or 'lock'",
  },
);
