import { z } from 'zod';
import { isStrategy, STRATEGY_NAMES, type Strategy } from '../../balancing/strategies/strategies.js';
import type { Duration } from '../../configuration/duration.js';
import {
  durationSchema,
  integer,
  nonEmptyString,
  type OptionShape,
} from '../../configuration/validate-options.js';
import type { CallDefaults, HedgeOptions } from './call-options.js';
import type { IsFailure } from '../failure-rules.js';
import { connectionShape, type ConnectionOptions } from './connection-options.js';
import { httpDefaultsShape, type HttpDefaults } from './http-options.js';

/** How a service is called, by all clients of this app. */
export interface ServicePolicy extends CallDefaults, HttpDefaults, ConnectionOptions {
  /** Ejects instances whose calls fail; `false`: never. Default: true. */
  outlierDetection?: boolean | OutlierDetectionOptions;
  /** Less traffic for a new instance, for 30 s. Default: true. */
  slowStart?: boolean;
  /** Limits retries in proportion to calls. */
  retryBudget?: RetryBudgetOptions;
  /** Rejects calls while most of them fail. Default: false. */
  circuitBreaker?: boolean | CircuitBreakerOptions;
  /** Limits concurrent calls. Default: no limit. */
  bulkhead?: BulkheadOptions;
  /** How often servers are asked for their load between calls, with the strategy `prequal`. */
  loadProbes?: LoadProbeOptions;
}

/** How this app calls others: the options for all services, and under `services` those that are different for one. */
export interface ClientsOptions extends ServicePolicy {
  /**
   * Calls stay in this zone as far as its capacity suffices. Default: the zone that the app is registered with, or
   * `ROOKERY_ZONE`; without one, or with `false`, all zones are alike.
   */
  zone?: string | false;
  /** Options by the name of the service. */
  services?: Readonly<Record<string, ServicePolicy>>;
}

export interface OutlierDetectionOptions {
  /** This many consecutive failures eject an instance. Default: 5. */
  consecutiveFailures?: number;
  /** The length of an ejection is this, multiplied by the number of recent ejections of the instance. Default: `'30s'`. */
  baseEjectionTime?: Duration;
  /** The maximum length. Default: `'5m'`. */
  maxEjectionTime?: Duration;
  /** Also eject instances that succeed far less often than the others. Default: true. */
  successRate?: boolean;
}

export interface RetryBudgetOptions {
  /** Retries for each call, 0 to 1. Default: 0.2. */
  ratio?: number;
  /** Further retries a second. Default: 10. */
  perSecond?: number;
}

export interface CircuitBreakerOptions {
  /** The circuit opens when this share of the calls in the window failed, or more, 0 to 1. Default: 0.5. */
  failureRate?: number;
  /** Fewer calls in the window decide nothing. Default: 20. */
  minimumCalls?: number;
  /** The length of the window. Default: `'10s'`. */
  window?: Duration;
  /** How long the circuit is open before a trial call. Default: `'5s'`. */
  openFor?: Duration;
}

export interface LoadProbeOptions {
  /** Probes a second, to all instances of the service together, 1 to 1000. Default: 20. */
  perSecond?: number;
}

export interface BulkheadOptions {
  /** Concurrent calls; `'adaptive'` finds out how many the service can take. */
  concurrency: number | 'adaptive';
  /** Calls that may wait, within their timeout. Default: 0. */
  queue?: number;
}

function fraction(what: string): z.ZodNumber {
  const error = `must be a number from 0 to 1; ${what}`;
  return z.number({ error }).min(0, { error }).max(1, { error });
}

const strategySchema = z.custom<Strategy>(isStrategy, {
  error: `must be one of ${STRATEGY_NAMES.join(', ')}, or a class that extends LoadBalancer`,
});

/** One entry for each key of `CallDefaults`. */
export const callDefaultsShape = {
  timeout: durationSchema().optional(),
  attemptTimeout: durationSchema().optional(),
  retries: integer(0, 10).optional(),
  strategy: strategySchema.optional(),
  isFailure: z
    .custom<IsFailure>((value) => typeof value === 'function', { error: 'must be a function' })
    .optional(),
  hedge: z
    .union(
      [
        z.boolean(),
        z.strictObject({
          delay: durationSchema().optional(),
          budget: fraction('0.05 lets one call in twenty be made twice').optional(),
        } satisfies OptionShape<HedgeOptions>),
      ],
      { error: "must be true, false, or an object such as { delay: '50ms' }" },
    )
    .optional(),
} satisfies OptionShape<CallDefaults>;

const policyShape = {
  ...callDefaultsShape,
  ...httpDefaultsShape,
  ...connectionShape,
  outlierDetection: z
    .union(
      [
        z.boolean(),
        z.strictObject({
          consecutiveFailures: integer(1, 1_000).optional(),
          baseEjectionTime: durationSchema().optional(),
          maxEjectionTime: durationSchema().optional(),
          successRate: z.boolean({ error: 'must be true or false' }).optional(),
        } satisfies OptionShape<OutlierDetectionOptions>),
      ],
      { error: 'must be true, false, or an object such as { consecutiveFailures: 5 }' },
    )
    .optional(),
  slowStart: z.boolean({ error: 'must be true or false' }).optional(),
  retryBudget: z
    .strictObject(
      {
        ratio: fraction('0.2 allows one retry for five calls').optional(),
        perSecond: z
          .number({ error: 'must be a number of retries, 0 or more' })
          .min(0, { error: 'must be a number of retries, 0 or more' })
          .optional(),
      } satisfies OptionShape<RetryBudgetOptions>,
      { error: 'must be an object such as { ratio: 0.2 }' },
    )
    .optional(),
  circuitBreaker: z
    .union(
      [
        z.boolean(),
        z.strictObject({
          failureRate: fraction('0.5 opens it when half of the calls fail').optional(),
          minimumCalls: integer(1, 1_000_000).optional(),
          window: durationSchema(100).optional(),
          openFor: durationSchema().optional(),
        } satisfies OptionShape<CircuitBreakerOptions>),
      ],
      { error: 'must be true, false, or an object such as { failureRate: 0.5 }' },
    )
    .optional(),
  bulkhead: z
    .strictObject(
      {
        concurrency: z.union([integer(1, 1_000_000), z.literal('adaptive')], {
          error: "must be an integer from 1, or 'adaptive'",
        }),
        queue: integer(0, 1_000_000).optional(),
      } satisfies OptionShape<BulkheadOptions>,
      { error: 'must be an object such as { concurrency: 100, queue: 50 }' },
    )
    .optional(),
  loadProbes: z
    .strictObject({ perSecond: integer(1, 1_000).optional() } satisfies OptionShape<LoadProbeOptions>, {
      error: 'must be an object such as { perSecond: 20 }',
    })
    .optional(),
} satisfies OptionShape<ServicePolicy>;

export const clientsOptionsSchema = z.strictObject(
  {
    ...policyShape,
    zone: z
      .union([nonEmptyString("must be a zone's name, or false"), z.literal(false)], {
        error: "must be a zone's name, or false",
      })
      .optional(),
    services: z
      .record(z.string(), z.strictObject(policyShape), {
        error: 'must be an object such as { inventory: { retries: 2 } }',
      })
      .optional(),
  } satisfies OptionShape<ClientsOptions>,
  { error: "must be an object such as { timeout: '2s' }" },
);
