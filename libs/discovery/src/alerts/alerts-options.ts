import type { FactoryProvider, ModuleMetadata } from '@nestjs/common';
import { z } from 'zod';
import type { Duration } from '../configuration/duration.js';
import {
  durationSchema,
  integer,
  type OptionIssue,
  type OptionShape,
  validateOptions,
} from '../configuration/validate-options.js';
import type { AlertRule } from './alert-rule.js';
import type { AlertSink } from './alert-sink.js';
import { createRule } from './rules/create-rule.js';
import { ruleOptionsSchema, type AlertRuleOptions } from './rules/rule-options.js';

export interface AlertsOptions {
  /** Rules by their options, or of your own. */
  rules: readonly (AlertRuleOptions | AlertRule)[];
  /** Where alerts are sent, besides the log and `DiscoveryEvents`. Default: none. */
  sinks?: readonly AlertSink[];
  /** How often rules are evaluated. Default: `'5s'`. */
  interval?: Duration;
  /** What comes within this time is one message. Default: `'1s'`. */
  groupWait?: Duration;
  /** The most alerts that wait for a sink that takes none; beyond that the oldest are dropped, which is told. Default: 1,000. */
  queue?: number;
}

export interface AlertsAsyncOptions {
  /** Modules whose providers are injected. Default: none. */
  imports?: ModuleMetadata['imports'];
  /** What the arguments of `useFactory` are. Default: none. */
  inject?: FactoryProvider['inject'];
  // The arguments are what `inject` names.
  /** Returns the options. */
  useFactory: (...args: never[]) => AlertsOptions | Promise<AlertsOptions>;
}

const functionSchema = z.custom<unknown>((value) => typeof value === 'function', {
  error: 'must be a function',
});

export const alertsOptionsSchema = z.strictObject(
  {
    rules: z.array(z.unknown(), {
      error: "must be an array such as [{ type: 'instances', service: 'inventory', atLeast: 2 }]",
    }),
    sinks: z
      .array(
        z.looseObject(
          {
            name: z.string(),
            send: functionSchema,
            deduplicates: z.boolean({ error: 'must be true or false' }),
            repeatEveryMs: z.number({ error: 'must be a number of milliseconds, or undefined' }).optional(),
          },
          { error: "must be a sink such as alertmanagerSink({ url: 'http://alertmanager:9093' })" },
        ),
        { error: "must be an array such as [alertmanagerSink({ url: 'http://alertmanager:9093' })]" },
      )
      .optional(),
    interval: durationSchema(100, 60_000).optional(),
    groupWait: durationSchema(0, 3_600_000).optional(),
    queue: integer(1, 100_000).optional(),
  },
  { error: 'must be an object such as { rules: [], sinks: [] }' },
);

const ownRuleSchema = z.looseObject(
  {
    name: z.string({ error: 'must be a name such as TooFewInstances' }),
    evaluate: functionSchema,
    severity: z
      .enum(['critical', 'warning', 'info'], { error: "must be 'critical', 'warning' or 'info'" })
      .optional(),
    watches: z.array(z.string(), { error: "must be an array such as ['inventory']" }).optional(),
    for: durationSchema(0).optional(),
    keepFiringFor: durationSchema(0).optional(),
  } satisfies OptionShape<
    Pick<AlertRule, 'name' | 'evaluate' | 'severity' | 'watches' | 'for' | 'keepFiringFor'>
  >,
  { error: 'must be a rule' },
);

/** Every mistake, with the index of its rule. */
export function alertsOptionIssues(options: AlertsOptions): OptionIssue[] {
  const issues = validateOptions(alertsOptionsSchema, options);
  if (issues.length > 0) return issues;
  const rules = options.rules.flatMap((rule, index) =>
    validateOptions(isOwnRule(rule) ? ownRuleSchema : ruleOptionsSchema, rule).map((issue) => ({
      ...issue,
      field: issue.field === 'options' ? `rules.${index}` : `rules.${index}.${issue.field}`,
    })),
  );
  return rules.length > 0 ? rules : sameNames(options.rules);
}

export function isOwnRule(rule: AlertRuleOptions | AlertRule): rule is AlertRule {
  return typeof rule === 'object' && 'evaluate' in rule;
}

/** Two rules of one name and severity would be one alert, with two states; a rule without a service is one for all of them. */
function sameNames(rules: AlertsOptions['rules']): OptionIssue[] {
  const known = rules.map((rule) => {
    const { name, severity = 'warning' } = isOwnRule(rule) ? rule : createRule(rule);
    return { name, severity, service: (rule as { service?: string }).service };
  });
  return known.flatMap(({ name, severity, service }, index) => {
    const isThere = known
      .slice(0, index)
      .some(
        (other) =>
          other.name === name &&
          other.severity === severity &&
          (other.service === undefined || service === undefined || other.service === service),
      );
    return isThere
      ? [
          {
            field: `rules.${index}`,
            value: JSON.stringify(name),
            hint: 'is there twice for a service: give each a name of its own',
          },
        ]
      : [];
  });
}
