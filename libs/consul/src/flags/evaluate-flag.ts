import { createHash } from 'node:crypto';

/** A flag with rules, instead of a plain value. The first rule that applies decides, else it is `value`. */
export interface FlagDefinition {
  readonly value: unknown;
  readonly rules?: readonly FlagRule[];
}

/** It applies to the callers that `keys` names, or to `percent` of all callers. */
export interface FlagRule {
  /** Targeting keys, such as the ids of users. */
  readonly keys?: readonly string[];
  /** 0 to 100. A caller that is within 10 percent is within 20 percent as well. */
  readonly percent?: number;
  readonly value: unknown;
}

export type FlagEvaluation =
  | { readonly value: unknown; readonly reason: 'STATIC' | 'TARGETING_MATCH' | 'SPLIT' | 'DEFAULT' }
  | { readonly error: string };

const FIELDS: ReadonlySet<string> = new Set(['value', 'rules']);

/** Whether what stands at the path of a flag is a flag with rules: an object with `value`, and nothing else but `rules`. */
export function isDefinition(flag: unknown): flag is FlagDefinition {
  if (typeof flag !== 'object' || flag === null || Array.isArray(flag)) return false;
  return Object.hasOwn(flag, 'value') && Object.keys(flag).every((field) => FIELDS.has(field));
}

/** The value of a flag for a caller, which its targeting key names. */
export function evaluateFlag(
  flagKey: string,
  flag: unknown,
  targetingKey: string | undefined,
): FlagEvaluation {
  if (!isDefinition(flag)) return { value: flag, reason: 'STATIC' };
  const rules: unknown = flag.rules ?? [];
  if (!Array.isArray(rules)) return { error: 'rules must be a list' };
  for (const rule of rules as unknown[]) {
    const issue = ruleIssue(rule);
    if (issue !== undefined) return { error: issue };
    const { keys, percent, value } = rule as FlagRule;
    if (targetingKey === undefined) continue;
    if (keys?.includes(targetingKey)) return { value, reason: 'TARGETING_MATCH' };
    if (percent !== undefined && share(flagKey, targetingKey) < percent) return { value, reason: 'SPLIT' };
  }
  return { value: flag.value, reason: rules.length === 0 ? 'STATIC' : 'DEFAULT' };
}

function ruleIssue(rule: unknown): string | undefined {
  const { keys, percent } = (rule ?? {}) as Partial<FlagRule>;
  if (typeof rule !== 'object' || rule === null || !Object.hasOwn(rule, 'value'))
    return 'a rule must have a value';
  if ((keys === undefined) === (percent === undefined)) return 'a rule must have either keys or percent';
  if (keys !== undefined && !(Array.isArray(keys) && keys.every((key) => typeof key === 'string')))
    return 'keys of a rule must be a list of texts';
  const isShare = percent === undefined || (typeof percent === 'number' && percent >= 0 && percent <= 100);
  return isShare ? undefined : 'percent of a rule must be a number from 0 to 100';
}

/** The place of a caller among all, from 0 to 100: the same in every process, and another for each flag. */
function share(flagKey: string, targetingKey: string): number {
  const hash = createHash('sha256').update(`${flagKey}\0${targetingKey}`).digest();
  return (hash.readUInt32BE(0) / 2 ** 32) * 100;
}
