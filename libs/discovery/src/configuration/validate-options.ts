import { z } from 'zod';
import { DiscoveryError } from '../errors/discovery-error.js';
import { type Duration, DURATION_HINT, parseDuration } from './duration.js';
import { withoutCredentials } from './without-credentials.js';

/** What is wrong with an option: the field, its value, and what to write instead. */
export interface OptionIssue {
  readonly field: string;
  /** In a form that may be shown; left out for a secret and where nothing was given. */
  readonly value?: string;
  readonly hint: string;
}

/** The schema of each field of an options interface; `satisfies` it, so that the compiler sees a field that only one has. */
export type OptionShape<T> = { [K in keyof Required<T>]: z.ZodType };

const SECRET = /token|secret|password|passphrase|auth|key$|pem$|pfx$/i;
const LONGEST_VALUE = 80;

/** Checks options against a schema and returns every issue, never just the first. */
export function validateOptions(schema: z.ZodType, options: unknown): OptionIssue[] {
  const result = schema.safeParse(options);
  return result.success ? [] : result.error.issues.flatMap((issue) => issuesOf(issue, schema, options));
}

/**
 * One error for all issues, a line each.
 *
 * @example
 * ```text
 * ConsulModule: 2 options are wrong
 *   - service.port = 70000: must be an integer from 1 to 65535; leave it out to use the port the app listens on
 *   - service.check.intervall: unknown option; known here: type, path, interval, timeout
 * ```
 */
export function invalidConfigError(where: string, issues: readonly OptionIssue[]): DiscoveryError {
  const lines = issues.map(
    ({ field, value, hint }) => `  - ${field}${value === undefined ? '' : ` = ${value}`}: ${hint}`,
  );
  const count = issues.length === 1 ? '1 option is wrong' : `${issues.length} options are wrong`;
  return new DiscoveryError('RK_CONFIG_INVALID', `${where}: ${count}\n${lines.join('\n')}`);
}

/** The schema of a duration; `min` and `max` are milliseconds. */
export function durationSchema(min = 1, max = 24 * 3_600_000): z.ZodType<Duration> {
  return z.custom<Duration>(
    (value) => {
      const milliseconds =
        typeof value === 'number' || typeof value === 'string' ? parseDuration(value) : undefined;
      return milliseconds !== undefined && milliseconds >= min && milliseconds <= max;
    },
    {
      error: ({ input }) =>
        `${input === undefined ? 'is missing; it ' : ''}must be a duration from ${readable(min)} to ${readable(max)}. ${DURATION_HINT}`,
    },
  );
}

/** In the largest unit that divides it without a rest. */
function readable(milliseconds: number): string {
  const units = [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const;
  const [unit, size] = units.find(([, each]) => milliseconds >= each && milliseconds % each === 0) ?? [
    'ms',
    1,
  ];
  return `${milliseconds / size} ${unit}`;
}

/** The schema of an integer within bounds; `hint` completes the sentence. */
export function integer(min: number, max: number, hint = 'leave it out for the default'): z.ZodNumber {
  const upTo = max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`;
  const error = `must be an integer from ${min}${upTo}; ${hint}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

/** The schema of a string that is not blank. */
export function nonEmptyString(hint: string): z.ZodString {
  return z.string({ error: hint }).refine((value) => value.trim() !== '', { error: hint });
}

function issuesOf(issue: z.core.$ZodIssue, schema: z.ZodType, options: unknown): OptionIssue[] {
  const path = issue.path.map(String);
  if (issue.code === 'invalid_union') {
    // Of several shapes, report on the one that the value has: its issues lie deeper than "not this type".
    const matching = issue.errors.find(
      (issues) =>
        issues.length > 0 &&
        issues.every(({ path: at, code }) => at.length > 0 || code === 'unrecognized_keys'),
    );
    const inner = (matching ?? []).map((found) => ({ ...found, path: [...issue.path, ...found.path] }));
    if (inner.length > 0) return inner.flatMap((found) => issuesOf(found, schema, options));
  }
  if (issue.code === 'invalid_key') {
    return [{ field: path.join('.'), hint: issue.issues.map(({ message }) => message).join('; ') }];
  }
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path, options);
    const hint = `unknown option; ${known.length > 0 ? `known here: ${known.join(', ')}` : 'remove it'}`;
    return issue.keys.map((key) => ({ field: [...path, key].join('.'), hint }));
  }
  const value = path.reduce<unknown>(
    (at, key) => (at as Record<string, unknown> | undefined)?.[key],
    options,
  );
  const field = path.join('.') || 'options';
  const shown = showValue(path, value);
  return [{ field, ...(shown === undefined ? {} : { value: shown }), hint: issue.message }];
}

function showValue(path: readonly string[], value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (path.some((key) => SECRET.test(key))) return '(not shown)';
  const shown = withoutCredentials(safeJson(value) ?? typeof value, '(not shown)');
  return shown.length > LONGEST_VALUE ? `${shown.slice(0, LONGEST_VALUE)}…` : shown;
}

/** Of an object only the keys are shown: a nested value might be a secret. */
function safeJson(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return Array.isArray(value) ? `an array of ${value.length}` : `{ ${Object.keys(value).join(', ')} }`;
}

function knownKeys(schema: z.ZodType, path: readonly string[], options: unknown): string[] {
  let at: unknown = schema;
  let value = options;
  for (const key of [...path, undefined]) {
    const object = objectIn(at, key, value);
    if (!object) return [];
    if (key === undefined) return Object.keys(object.shape);
    const isIndex = object !== at && (/^\d+$/.test(key) || isRecord(at));
    at = isIndex ? at : (object.shape as Record<string, unknown>)[key];
    while (isIndex && (at instanceof z.ZodOptional || at instanceof z.ZodUnion)) at = arrayIn(at);
    if (isIndex && at instanceof z.ZodArray) at = at.element;
    else if (isIndex && at instanceof z.ZodRecord) at = at.valueType;
    value = (value as Record<string, unknown> | undefined)?.[key];
  }
  return [];
}

function isRecord(schema: unknown): boolean {
  return schema instanceof z.ZodOptional ? isRecord(schema.unwrap()) : schema instanceof z.ZodRecord;
}

function arrayIn(schema: z.ZodOptional | z.ZodUnion): unknown {
  if (schema instanceof z.ZodOptional) return schema.unwrap();
  return schema.options.find((option) => option instanceof z.ZodArray);
}

/** The object schema behind `optional`, in an array, or among the options of a union. */
function objectIn(schema: unknown, key: string | undefined, value: unknown): z.ZodObject | undefined {
  if (schema instanceof z.ZodObject) return schema;
  if (schema instanceof z.ZodOptional) return objectIn(schema.unwrap(), key, value);
  if (schema instanceof z.ZodArray) return objectIn(schema.element, key, value);
  if (schema instanceof z.ZodRecord) return objectIn(schema.valueType, key, value);
  if (!(schema instanceof z.ZodUnion)) return undefined;
  const objects = schema.options.flatMap((option) => objectIn(option, key, value) ?? []);
  // In a discriminated union, the option whose type the value has.
  const { type } = (value ?? {}) as { type?: unknown };
  const matchesType = ({ shape }: z.ZodObject): boolean =>
    shape.type instanceof z.ZodType && shape.type.safeParse(type).success;
  const hasKey = ({ shape }: z.ZodObject): boolean => key === undefined || key in shape || /^\d+$/.test(key);
  return objects.find(matchesType) ?? objects.find(hasKey);
}
