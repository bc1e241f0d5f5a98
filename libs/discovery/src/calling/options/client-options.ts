import { z } from 'zod';
import { isStrategy, STRATEGY_NAMES, type Strategy } from '../../balancing/strategies/strategies.js';
import type { Duration } from '../../configuration/duration.js';
import { durationSchema, text, wholeNumber } from '../../configuration/validate-options.js';
import type { CallDefaults } from './call-options.js';
import type { IsFailure } from '../attempt-result.js';

/** How a service is called, whoever calls it in this app. */
export interface ServicePolicy extends CallDefaults {
  /** When an instance gets no calls for a while; `false`: never. */
  ejection?: boolean | EjectionOptions;
  /** Less traffic for who has just come, for 30 s. Default: true. */
  slowStart?: boolean;
  /** How many retries there may be. */
  retryBudget?: RetryBudgetOptions;
  /** Refuses calls while most of them fail. Default: false. */
  circuitBreaker?: boolean | CircuitBreakerOptions;
  /** How many calls may be under way at once. Default: no limit. */
  bulkhead?: BulkheadOptions;
}

/** How this app calls others: what holds for all services, and under `services` what is different for one. */
export interface ClientsOptions extends ServicePolicy {
  /**
   * Calls stay in this zone as far as its instances suffice. Default: the zone that the app is registered with, or
   * `ROOKERY_ZONE`; without one all zones are alike. `false`: they are in any case.
   */
  zone?: string | false;
  /** By the name of the service. */
  services?: Readonly<Record<string, ServicePolicy>>;
}

export interface EjectionOptions {
  /** So many failures one after the other. Default: 5. */
  consecutiveFailures?: number;
  /** How long the first one lasts; the second twice as long, and so on. Default: `'30s'`. */
  baseTime?: Duration;
  /** The longest. Default: `'5m'`. */
  maxTime?: Duration;
  /** Also who succeeds far less often than the others. Default: true. */
  successRate?: boolean;
}

export interface RetryBudgetOptions {
  /** Retries for each call, 0 to 1. Default: 0.2. */
  ratio?: number;
  /** And so many a second. Default: 10. */
  perSecond?: number;
}

export interface CircuitBreakerOptions {
  /** It opens when this share of the calls failed, or more, 0 to 1. Default: 0.5. */
  failureRate?: number;
  /** If they were at least so many. Default: 20. */
  minimumCalls?: number;
  /** Within so long. Default: `'10s'`. */
  window?: Duration;
  /** When the next call may try. Default: `'5s'`. */
  openFor?: Duration;
}

export interface BulkheadOptions {
  /** So many at once; `'adaptive'` finds out how many the service takes. */
  concurrency: number | 'adaptive';
  /** So many may wait for their turn, within their timeout. Default: 0. */
  queue?: number;
}

function share(what: string): z.ZodNumber {
  const error = `must be a share from 0 to 1; ${what}`;
  return z.number({ error }).min(0, { error }).max(1, { error });
}

const strategySchema = z.custom<Strategy>(isStrategy, {
  error: `must be one of ${STRATEGY_NAMES.join(', ')}, or a class that extends LoadBalancer`,
});

/** One entry for each key of `CallDefaults`. */
export const callDefaultsShape = {
  timeout: durationSchema().optional(),
  attemptTimeout: durationSchema().optional(),
  retries: wholeNumber(0, 10).optional(),
  strategy: strategySchema.optional(),
  isFailure: z
    .custom<IsFailure>((value) => typeof value === 'function', { error: 'must be a function' })
    .optional(),
  hedge: z
    .union(
      [
        z.boolean(),
        z.strictObject({
          after: durationSchema().optional(),
          extraLoad: share('0.05 lets one call in twenty be made twice').optional(),
        }),
      ],
      { error: "must be true, false, or an object such as { after: '50ms' }" },
    )
    .optional(),
};

const policyShape = {
  ...callDefaultsShape,
  ejection: z
    .union(
      [
        z.boolean(),
        z.strictObject({
          consecutiveFailures: wholeNumber(1, 1_000).optional(),
          baseTime: durationSchema().optional(),
          maxTime: durationSchema().optional(),
          successRate: z.boolean({ error: 'must be true or false' }).optional(),
        }),
      ],
      { error: 'must be true, false, or an object such as { consecutiveFailures: 5 }' },
    )
    .optional(),
  slowStart: z.boolean({ error: 'must be true or false' }).optional(),
  retryBudget: z
    .strictObject(
      {
        ratio: share('0.2 allows one retry for five calls').optional(),
        perSecond: z
          .number({ error: 'must be a number of retries, 0 or more' })
          .min(0, { error: 'must be a number of retries, 0 or more' })
          .optional(),
      },
      { error: 'must be an object such as { ratio: 0.2 }' },
    )
    .optional(),
  circuitBreaker: z
    .union(
      [
        z.boolean(),
        z.strictObject({
          failureRate: share('0.5 opens it when half of the calls fail').optional(),
          minimumCalls: wholeNumber(1, 1_000_000).optional(),
          window: durationSchema(100).optional(),
          openFor: durationSchema().optional(),
        }),
      ],
      { error: 'must be true, false, or an object such as { failureRate: 0.5 }' },
    )
    .optional(),
  bulkhead: z
    .strictObject(
      {
        concurrency: z.union([wholeNumber(1, 1_000_000), z.literal('adaptive')], {
          error: "must be a whole number from 1, or 'adaptive'",
        }),
        queue: wholeNumber(0, 1_000_000).optional(),
      },
      { error: 'must be an object such as { concurrency: 100, queue: 50 }' },
    )
    .optional(),
};

export const clientsOptionsSchema = z.strictObject(
  {
    ...policyShape,
    zone: z
      .union([text("must be a zone's name, or false"), z.literal(false)], {
        error: "must be a zone's name, or false",
      })
      .optional(),
    services: z
      .record(z.string(), z.strictObject(policyShape), {
        error: 'must be an object such as { inventory: { retries: 2 } }',
      })
      .optional(),
  },
  { error: "must be an object such as { timeout: '2s' }" },
);
