import type { ApiRequest } from '../http/api-request.js';
import { parameter } from '../http/api-request.js';
import { ApiError } from '../http/api-error.js';
import type { FilterField, FilterFields } from './filter-schema.js';
import { parseFilter, type FilterExpression } from './parse-filter.js';

type Matcher = (entry: unknown) => boolean;
const MISSING = Symbol('a key that the map does not have');

/**
 * The test of `?filter=`; everything passes without one.
 *
 * @throws ApiError 500 in Consul's words when it is no expression, or not one for these fields
 */
export function requestFilter(request: ApiRequest, fields: FilterFields, fromServers: boolean): Matcher {
  const text = parameter(request, 'filter');
  if (text === '') return () => true;
  try {
    return compile(parseFilter(text), fields);
  } catch (error) {
    const reason = (error as Error).message;
    throw new ApiError(500, `Failed to create boolean expression evaluator: ${reason}`, fromServers);
  }
}

function compile(expression: FilterExpression, fields: FilterFields): Matcher {
  if (expression.kind === 'not') {
    const inner = compile(expression.of, fields);
    return (entry) => !inner(entry);
  }
  if (expression.kind !== 'match') {
    const left = compile(expression.left, fields);
    const right = compile(expression.right, fields);
    return expression.kind === 'and'
      ? (entry) => left(entry) && right(entry)
      : (entry) => left(entry) || right(entry);
  }
  const { selector, operator, negated, value } = expression;
  const name = selector.join('.');
  const field = fieldAt(selector, { fields });
  if (field === undefined) {
    const wrong = selector.findIndex((_, at) => fieldAt(selector.slice(0, at + 1), { fields }) === undefined);
    throw new Error(`Selector ${JSON.stringify(selector.slice(0, wrong + 1).join('.'))} is not valid`);
  }
  const test = valueTest(operator, field, value, name);
  // In a list one matching element is enough, also for a negation; a missing map key differs from every value.
  return (entry) =>
    valuesAt(entry, selector, { fields }).some((found) =>
      found === MISSING ? negated : test(found) !== negated,
    );
}

/** Traverses lists as if the path named each of their elements. */
function fieldAt([first, ...rest]: readonly string[], field: FilterField): FilterField | undefined {
  if (typeof field === 'object' && 'list' in field && first !== undefined)
    return fieldAt([first, ...rest], field.list);
  if (first === undefined) return field;
  if (typeof field !== 'object') return undefined;
  if ('map' in field) return fieldAt(rest, field.map);
  if (!('fields' in field)) return undefined;
  const next = field.fields[first];
  return next === undefined ? undefined : fieldAt(rest, next);
}

function valuesAt(value: unknown, selector: readonly string[], field: FilterField): unknown[] {
  const [first, ...rest] = selector;
  if (first === undefined) return [value];
  if (Array.isArray(value)) {
    const of = typeof field === 'object' && 'list' in field ? field.list : field;
    return value.flatMap((item) => valuesAt(item, selector, of));
  }
  if (typeof field !== 'object') return [MISSING];
  const next = 'map' in field ? field.map : 'fields' in field ? field.fields[first] : undefined;
  const inner = (value as Record<string, unknown> | null | undefined)?.[first];
  if (next === undefined || (inner === undefined && 'map' in field)) return [MISSING];
  return valuesAt(inner, rest, next);
}

function valueTest(
  operator: string,
  field: FilterField,
  wanted: string,
  name: string,
): (value: unknown) => boolean {
  const invalid = (what: string): Error =>
    new Error(`Invalid match operator ${JSON.stringify(what)} for selector ${JSON.stringify(name)}`);
  switch (operator) {
    case 'equal': {
      if (typeof field === 'object') throw invalid('Equal');
      const value = coerce(wanted, field, name);
      return (found) => (found ?? zeroOf(field)) === value;
    }
    case 'matches': {
      if (field !== 'string') throw invalid('Matches');
      const pattern = new RegExp(wanted);
      return (found) => pattern.test((found as string | undefined) ?? '');
    }
    case 'empty':
      if (typeof field !== 'object' || 'fields' in field) throw invalid('Is Empty');
      return isEmpty;
    default: {
      // `x in y` and `y contains x` mean the same.
      if (field === 'string') return (found) => ((found as string | undefined) ?? '').includes(wanted);
      if (typeof field !== 'object' || 'fields' in field) throw invalid('In');
      if ('map' in field) return (found) => typeof found === 'object' && found !== null && wanted in found;
      const value = typeof field.list === 'string' ? coerce(wanted, field.list, name) : wanted;
      return (found) => Array.isArray(found) && found.includes(value);
    }
  }
}

function coerce(text: string, field: 'string' | 'int' | 'bool', name: string): unknown {
  const refuse = (reason: string): Error =>
    new Error(
      `Failed to coerce value ${JSON.stringify(text)} for selector ${JSON.stringify(name)}: ${reason}`,
    );
  if (field === 'string') return text;
  if (field === 'int') {
    if (!/^[-+]?\d+$/.test(text))
      throw refuse(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    return Number(text);
  }
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw refuse(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function zeroOf(field: 'string' | 'int' | 'bool'): unknown {
  if (field === 'string') return '';
  return field === 'int' ? 0 : false;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
