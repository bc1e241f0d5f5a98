import { DURATION_CURE, parseDuration } from '../../configuration/duration.js';
import { isStrategy, needsWholeService, STRATEGY_NAMES, type Strategy } from '../../balancing/strategies/strategies.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { CallOptions } from './call-options.js';

type Check = readonly [isRight: (value: unknown) => boolean, cure: string];

const MOST_RETRIES = 10;
const aFunction: Check = [(value) => typeof value === 'function', 'must be a function'];
const aBoolean: Check = [(value) => typeof value === 'boolean', 'must be true or false'];
const aDuration: Check = [
  (value) => (typeof value === 'number' || typeof value === 'string') && parseDuration(value) !== undefined,
  `must be a duration. ${DURATION_CURE}`,
];

/** By hand, since this is on the path of every call: a schema takes longer than everything else together. */
const CHECKS: Readonly<Record<string, Check>> = {
  // What stands in it is checked when it is new.
  query: [
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    "must be an object such as { tags: ['v1'] }",
  ],
  timeout: aDuration,
  attemptTimeout: aDuration,
  retries: [
    (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MOST_RETRIES,
    `must be a whole number from 0 to ${MOST_RETRIES}`,
  ],
  idempotent: aBoolean,
  strategy: [isStrategy, `must be one of ${STRATEGY_NAMES.join(', ')}, or a class that extends LoadBalancer`],
  hedge: [isHedge, "must be true, false, or an object such as { after: '50ms', extraLoad: 0.05 }"],
  hashKey: [(value) => typeof value === 'string', 'must be text'],
  signal: [
    (value) => typeof (value as AbortSignal | null)?.addEventListener === 'function',
    'must be an AbortSignal',
  ],
  repeatable: aBoolean,
  isFailure: aFunction,
  fallback: aFunction,
  answer: aFunction,
  discard: aFunction,
};
const INTERNAL: ReadonlySet<string> = new Set(['signal', 'repeatable', 'answer', 'discard']);

/**
 * `{ qeury: … }` must not mean everybody.
 *
 * @throws DiscoveryError `RK_INVALID_ARGUMENT`
 */
export function assertCallOptions(options: CallOptions): void {
  for (const key in options) {
    const check = CHECKS[key];
    const value: unknown = options[key as keyof CallOptions];
    if (!check) {
      const known = Object.keys(CHECKS).filter((name) => !INTERNAL.has(name));
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `call.${key}: unknown option`, {
        hint: `Known here: ${known.join(', ')}`,
      });
    }
    const [isRight, cure] = check;
    if (value !== undefined && !isRight(value)) {
      const isPlain = ['string', 'number', 'boolean'].includes(typeof value);
      const shown = isPlain ? JSON.stringify(value) : `a value of type ${typeof value}`;
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `call.${key} = ${shown}: ${cure}`);
    }
  }
}

/** A key that nobody heeds is a mistake that would never be found. */
export function assertKeyIsUsed(hashKey: string | undefined, strategy: Strategy): void {
  if (hashKey === undefined || typeof strategy !== 'string' || needsWholeService(strategy)) return;
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `call.hashKey: the strategy ${strategy} knows no keys`, {
    hint: "Take strategy: 'consistent-hash' or 'sticky'",
  });
}

function isHedge(value: unknown): boolean {
  if (typeof value === 'boolean') return true;
  if (typeof value !== 'object' || value === null) return false;
  const { after = 1, extraLoad = 0, ...unknown } = value as { after?: unknown; extraLoad?: unknown };
  const isShare = typeof extraLoad === 'number' && extraLoad >= 0 && extraLoad <= 1;
  return aDuration[0](after) && isShare && Object.keys(unknown).length === 0;
}
