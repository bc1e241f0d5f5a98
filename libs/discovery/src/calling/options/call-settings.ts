import { OUTLIER_DEFAULTS, type OutlierRules } from '../../balancing/outliers/outlier-rules.js';
import type { Strategy } from '../../balancing/strategies/strategies.js';
import { toMilliseconds, type Duration } from '../../configuration/duration.js';
import { omitUndefined } from '../../configuration/omit-undefined.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { MAX_TIMER_MS } from '../../timing/clock.js';
import type { IsFailure } from '../failure-rules.js';
import type { BulkheadRules } from '../limits/bulkhead.js';
import type { CircuitBreakerRules } from '../limits/circuit-breaker.js';
import type { RetryBudgetRules } from '../limits/retry-budget.js';
import type { CallDefaults } from './call-options.js';
import type { ClientsOptions, ServicePolicy } from './client-options.js';
import { serviceHttpSettings, type HttpSettings } from './http-options.js';

export interface HedgeRules {
  /** Undefined: by the latency of recent calls. */
  readonly delayMs: number | undefined;
  readonly budget: number;
}

/** `CallDefaults`, complete and in milliseconds. */
export interface CallSettings {
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly retries: number;
  readonly strategy: Strategy;
  readonly hedge: HedgeRules | undefined;
  readonly isFailure: IsFailure | undefined;
}

/** `ServicePolicy`, complete and in milliseconds. */
export interface ServiceSettings {
  readonly call: CallSettings;
  readonly http: HttpSettings;
  readonly outlierRules: OutlierRules | undefined;
  readonly slowStart: boolean;
  readonly retryBudget: RetryBudgetRules;
  readonly circuitBreaker: CircuitBreakerRules | undefined;
  readonly bulkhead: BulkheadRules | undefined;
  readonly loadProbes: { readonly perSecond: number };
}

const DEFAULTS: CallSettings = {
  timeoutMs: 10_000,
  attemptTimeoutMs: 5_000,
  retries: 1,
  strategy: 'p2c-ewma',
  hedge: undefined,
  isFailure: undefined,
};
const DEFAULT_HEDGE_BUDGET = 0.05;
const DEFAULT_PROBES = 20;
/** A little below the limit, since the timer wheel rounds up. */
const MAX_WHEEL_MS = MAX_TIMER_MS - 999;

/** The settings of one service. */
export function serviceSettings(
  { services = {}, zone: _, ...all }: ClientsOptions,
  service: string,
): ServiceSettings {
  const own = services[service] ?? {};
  const policy: ServicePolicy = { ...all, ...omitUndefined(own) };
  // One authority for all, and a name for each, is what most have.
  if (all.tls && own.tls) policy.tls = { ...all.tls, ...omitUndefined(own.tls) };
  return {
    call: callSettings(DEFAULTS, policy),
    http: serviceHttpSettings(policy),
    outlierRules: outlierRules(policy.outlierDetection ?? true),
    slowStart: policy.slowStart ?? true,
    retryBudget: { ratio: 0.2, perSecond: 10, ...omitUndefined(policy.retryBudget ?? {}) },
    circuitBreaker: breakerRules(policy.circuitBreaker ?? false),
    loadProbes: { perSecond: DEFAULT_PROBES, ...omitUndefined(policy.loadProbes ?? {}) },
    bulkhead: policy.bulkhead && { queue: 0, ...omitUndefined(policy.bulkhead) },
  };
}

/**
 * The settings of one call.
 *
 * @throws DiscoveryError `RK_INVALID_ARGUMENT` for an invalid duration
 */
export function callSettings(defaults: CallSettings, options: CallDefaults): CallSettings {
  const { timeout, attemptTimeout, retries, strategy, hedge, isFailure } = options;
  const hasOwn =
    timeout !== undefined ||
    attemptTimeout !== undefined ||
    retries !== undefined ||
    strategy !== undefined ||
    hedge !== undefined ||
    isFailure !== undefined;
  // Most calls have none.
  if (!hasOwn) return defaults;
  return {
    timeoutMs: timeout === undefined ? defaults.timeoutMs : positiveMs(timeout, 'call.timeout'),
    attemptTimeoutMs:
      attemptTimeout === undefined
        ? defaults.attemptTimeoutMs
        : positiveMs(attemptTimeout, 'call.attemptTimeout'),
    retries: retries ?? defaults.retries,
    strategy: strategy ?? defaults.strategy,
    hedge: hedge === undefined ? defaults.hedge : hedgeRules(hedge),
    isFailure: isFailure ?? defaults.isFailure,
  };
}

function hedgeRules(hedge: NonNullable<CallDefaults['hedge']>): HedgeRules | undefined {
  if (hedge === false) return undefined;
  const { delay, budget = DEFAULT_HEDGE_BUDGET } = hedge === true ? {} : hedge;
  return { delayMs: delay === undefined ? undefined : positiveMs(delay, 'call.hedge.delay'), budget };
}

function outlierRules(detection: NonNullable<ServicePolicy['outlierDetection']>): OutlierRules | undefined {
  if (detection === false) return undefined;
  const { baseEjectionTime, maxEjectionTime, ...rest } = detection === true ? {} : detection;
  return {
    ...OUTLIER_DEFAULTS,
    ...omitUndefined(rest),
    ...(baseEjectionTime === undefined
      ? {}
      : { baseEjectionMs: positiveMs(baseEjectionTime, 'outlierDetection.baseEjectionTime') }),
    ...(maxEjectionTime === undefined
      ? {}
      : { maxEjectionMs: positiveMs(maxEjectionTime, 'outlierDetection.maxEjectionTime') }),
  };
}

function breakerRules(
  breaker: NonNullable<ServicePolicy['circuitBreaker']>,
): CircuitBreakerRules | undefined {
  if (breaker === false) return undefined;
  const {
    failureRate = 0.5,
    minimumCalls = 20,
    window = '10s',
    openFor = '5s',
  } = breaker === true ? {} : breaker;
  return {
    failureRate,
    minimumCalls,
    windowMs: positiveMs(window, 'circuitBreaker.window'),
    openMs: positiveMs(openFor, 'circuitBreaker.openFor'),
  };
}

function positiveMs(value: Duration, field: string): number {
  const milliseconds = toMilliseconds(value, field);
  if (milliseconds > 0) return Math.min(milliseconds, MAX_WHEEL_MS);
  throw new DiscoveryError(
    'RK_INVALID_ARGUMENT',
    `${field} = ${JSON.stringify(value)}: must be greater than 0`,
    {
      hint: 'Leave it out for the default; every call has a deadline',
    },
  );
}
