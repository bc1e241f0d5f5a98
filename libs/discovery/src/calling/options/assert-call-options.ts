import {
  isStrategy,
  needsWholeService,
  STRATEGY_NAMES,
  type Strategy,
} from '../../balancing/strategies/strategies.js';
import { DURATION_HINT, parseDuration } from '../../configuration/duration.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { CallOptions } from './call-options.js';

type Check = readonly [isValid: (value: unknown) => boolean, hint: string];

const MAX_RETRIES = 10;
const isFunction: Check = [(value) => typeof value === 'function', 'must be a function'];
const isBoolean: Check = [(value) => typeof value === 'boolean', 'must be true or false'];
const isDuration: Check = [
  (value) => (typeof value === 'number' || typeof value === 'string') && parseDuration(value) !== undefined,
  `must be a duration. ${DURATION_HINT}`,
];

/** By hand, since this is on the path of every call: a schema would take longer than everything else together. */
const CHECKS: Readonly<Record<string, Check>> = {
  // The content of a query is validated when the query is new.
  query: [
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    "must be an object such as { tags: ['v1'] }",
  ],
  timeout: isDuration,
  attemptTimeout: isDuration,
  retries: [
    (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_RETRIES,
    `must be an integer from 0 to ${MAX_RETRIES}`,
  ],
  idempotent: isBoolean,
  strategy: [isStrategy, `must be one of ${STRATEGY_NAMES.join(', ')}, or a class that extends LoadBalancer`],
  hedge: [isHedge, "must be true, false, or an object such as { delay: '50ms', budget: 0.05 }"],
  hashKey: [(value) => typeof value === 'string', 'must be a string'],
  signal: [
    (value) => typeof (value as AbortSignal | null)?.addEventListener === 'function',
    'must be an AbortSignal',
  ],
  replayableBody: isBoolean,
  isFailure: isFunction,
  fallback: isFunction,
};
const INTERNAL: ReadonlySet<string> = new Set(['signal', 'replayableBody']);

/**
 * Rejects misspelt options: `{ qeury: … }` must not select every instance.
 *
 * @param others options that are known besides these, and that their user checks itself
 * @throws DiscoveryError `RK_INVALID_ARGUMENT`
 */
export function assertCallOptions(options: CallOptions, others: readonly string[] = []): void {
  for (const key in options) {
    const check = CHECKS[key];
    const value: unknown = options[key as keyof CallOptions];
    if (!check) {
      if (others.includes(key)) continue;
      const known = [...Object.keys(CHECKS).filter((name) => !INTERNAL.has(name)), ...others];
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `call.${key}: unknown option`, {
        hint: `Known here: ${known.join(', ')}`,
      });
    }
    const [isValid, hint] = check;
    if (value !== undefined && !isValid(value)) {
      const isPlain = ['string', 'number', 'boolean'].includes(typeof value);
      const shown = isPlain ? JSON.stringify(value) : `a value of type ${typeof value}`;
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `call.${key} = ${shown}: ${hint}`);
    }
  }
}

/** Rejects a key that the strategy would ignore. */
export function assertKeyIsUsed(hashKey: string | undefined, strategy: Strategy): void {
  if (hashKey === undefined || typeof strategy !== 'string' || needsWholeService(strategy)) return;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `call.hashKey: strategy ${strategy} does not use hashKey`, {
    hint: "Use strategy: 'consistent-hash' or 'sticky'",
  });
}

function isHedge(value: unknown): boolean {
  if (typeof value === 'boolean') return true;
  if (typeof value !== 'object' || value === null) return false;
  const { delay = 1, budget = 0, ...unknown } = value as { delay?: unknown; budget?: unknown };
  const isFraction = typeof budget === 'number' && budget >= 0 && budget <= 1;
  return isDuration[0](delay) && isFraction && Object.keys(unknown).length === 0;
}
