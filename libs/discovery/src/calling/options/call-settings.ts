import { EJECTION_DEFAULTS, type EjectionRules } from '../../balancing/outliers/outlier-rules.js';
import type { Strategy } from '../../balancing/strategies/strategies.js';
import { toMilliseconds, type Duration } from '../../configuration/duration.js';
import { given } from '../../configuration/omit-undefined.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { BulkheadRules } from '../limits/bulkhead.js';
import type { CallDefaults } from './call-options.js';
import type { CircuitBreakerRules } from '../limits/circuit-breaker.js';
import type { ClientsOptions, ServicePolicy } from './client-options.js';
import type { RetryBudgetOptions } from '../limits/retry-budget.js';
import type { IsFailure } from '../attempt-result.js';

export interface HedgeRules {
  /** Undefined: by what calls of the service took of late. */
  readonly afterMs: number | undefined;
  readonly extraLoad: number;
}

/** `CallDefaults` as the call path needs them: complete, and in milliseconds. */
export interface CallSettings {
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly retries: number;
  readonly strategy: Strategy;
  readonly hedge: HedgeRules | undefined;
  readonly isFailure: IsFailure | undefined;
}

export interface ServiceSettings {
  readonly call: CallSettings;
  readonly ejection: EjectionRules | undefined;
  readonly slowStart: boolean;
  readonly retryBudget: Required<RetryBudgetOptions>;
  readonly circuitBreaker: CircuitBreakerRules | undefined;
  readonly bulkhead: BulkheadRules | undefined;
}

const DEFAULTS: CallSettings = {
  timeoutMs: 10_000,
  attemptTimeoutMs: 5_000,
  retries: 1,
  strategy: 'p2c-ewma',
  hedge: undefined,
  isFailure: undefined,
};
const EXTRA_LOAD = 0.05;
/** Rather less than Node's longest: the wheel of deadlines rounds up. */
const LONGEST_TIMER_MS = 2 ** 31 - 1_000;

/** What holds for one service. */
export function serviceSettings(
  { services = {}, zone: _, ...all }: ClientsOptions,
  service: string,
): ServiceSettings {
  const policy: ServicePolicy = { ...all, ...given(services[service] ?? {}) };
  return {
    call: callSettings(DEFAULTS, policy),
    ejection: ejectionRules(policy.ejection ?? true),
    slowStart: policy.slowStart ?? true,
    retryBudget: { ratio: 0.2, perSecond: 10, ...given(policy.retryBudget ?? {}) },
    circuitBreaker: breakerRules(policy.circuitBreaker ?? false),
    bulkhead: policy.bulkhead && { queue: 0, ...given(policy.bulkhead) },
  };
}

/**
 * What holds for one call, where it differs.
 *
 * @throws DiscoveryError `RK_INVALID_ARGUMENT` when a duration is none
 */
export function callSettings(defaults: CallSettings, options: CallDefaults): CallSettings {
  const { timeout, attemptTimeout, retries, strategy, hedge, isFailure } = options;
  return {
    timeoutMs: timeout === undefined ? defaults.timeoutMs : limit(timeout, 'call.timeout'),
    attemptTimeoutMs:
      attemptTimeout === undefined ? defaults.attemptTimeoutMs : limit(attemptTimeout, 'call.attemptTimeout'),
    retries: retries ?? defaults.retries,
    strategy: strategy ?? defaults.strategy,
    hedge: hedge === undefined ? defaults.hedge : hedgeRules(hedge),
    isFailure: isFailure ?? defaults.isFailure,
  };
}

function hedgeRules(hedge: NonNullable<CallDefaults['hedge']>): HedgeRules | undefined {
  if (hedge === false) return undefined;
  const { after, extraLoad = EXTRA_LOAD } = hedge === true ? {} : hedge;
  return { afterMs: after === undefined ? undefined : limit(after, 'call.hedge.after'), extraLoad };
}

function ejectionRules(ejection: NonNullable<ServicePolicy['ejection']>): EjectionRules | undefined {
  if (ejection === false) return undefined;
  const { baseTime, maxTime, ...rest } = ejection === true ? {} : ejection;
  return {
    ...EJECTION_DEFAULTS,
    ...given(rest),
    ...(baseTime === undefined ? {} : { baseMs: limit(baseTime, 'ejection.baseTime') }),
    ...(maxTime === undefined ? {} : { maxMs: limit(maxTime, 'ejection.maxTime') }),
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
    windowMs: limit(window, 'circuitBreaker.window'),
    openMs: limit(openFor, 'circuitBreaker.openFor'),
  };
}

function limit(value: Duration, field: string): number {
  const milliseconds = toMilliseconds(value, field);
  if (milliseconds > 0) return Math.min(milliseconds, LONGEST_TIMER_MS);
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `${field}: ${JSON.stringify(value)} leaves no time`, {
    hint: 'Leave it out for the default; no call is without a deadline',
  });
}
