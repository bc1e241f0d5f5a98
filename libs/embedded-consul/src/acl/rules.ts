import { parseHcl, HclError, type HclItem, type HclValue } from './hcl.js';

export type Access = 'deny' | 'read' | 'list' | 'write';
export type Resource = 'service' | 'node' | 'key' | 'session' | 'agent' | 'event' | 'query';
/** What a rule allows without a name. */
export type Plain = 'acl' | 'keyring' | 'operator';

interface Rule {
  readonly resource: Resource;
  readonly name: string;
  readonly prefix: boolean;
  readonly access: Access;
}

export interface Rules {
  readonly named: readonly Rule[];
  readonly plain: Readonly<Partial<Record<Plain, Access>>>;
}

/** Rules that Consul refuses. */
export class RulesError extends Error {}

const RANK: Readonly<Record<Access, number>> = { deny: 0, read: 1, list: 2, write: 3 };
/** In the order in which Consul looks at them; how Go writes one. */
const NAMED: readonly (readonly [Resource, (rule: Fields) => string])[] = [
  ['agent', ({ name, policy }) => `AgentRule{Node:${name}, Policy:${policy}}`],
  ['key', ({ name, policy }) => `KeyRule{Prefix:${name}, Policy:${policy}, ${ENTERPRISE}}`],
  ['node', ({ name, policy }) => `NodeRule{Name:${name}, Policy:${policy}, ${ENTERPRISE}}`],
  [
    'service',
    ({ name, policy, intentions }) =>
      `ServiceRule{Name:${name}, Policy:${policy}, Intentions:${intentions}, ${ENTERPRISE}}`,
  ],
  ['session', ({ name, policy }) => `SessionRule{Node:${name}, Policy:${policy}}`],
  ['event', ({ name, policy }) => `EventRule{Event:${name}, Policy:${policy}}`],
  ['query', ({ name, policy }) => `PreparedQueryRule{Prefix:${name}, Policy:${policy}}`],
];
const ENTERPRISE = 'EnterpriseRule:acl.EnterpriseRule{}';

interface Fields {
  readonly name: string;
  readonly policy: string;
  readonly intentions: string;
}

/** Reads rules in HCL or JSON. @throws RulesError in the words of Consul */
export function parseRules(text: string): Rules {
  const items = itemsOf(text);
  const find = (key: string): HclItem[] => items.filter((item) => item.key.toLowerCase() === key);
  const texts = new Map(
    (['acl', 'keyring', 'operator'] as const).map((key) => [key, textOf(find(key).at(-1)?.value, key)]),
  );
  const fields = NAMED.flatMap(([resource, show]) =>
    [false, true].map((prefix) => {
      const key = prefix ? `${resource}_prefix` : resource;
      return { resource, prefix, key, show, all: fieldsOf(find(key), key) };
    }),
  );
  const plain: Partial<Record<Plain, Access>> = {};
  const check = (key: Plain): void => {
    const given = texts.get(key);
    if (given === undefined || given === '') return;
    if (!isAccess(given) || given === 'list')
      throw new RulesError(`Invalid ${key} policy: ${JSON.stringify(given)}`);
    plain[key] = given;
  };
  check('acl');
  const named = fields.flatMap(({ resource, prefix, key, show, all }) =>
    all.map(({ name, policy, intentions }): Rule => {
      const shown = `&acl.${show({
        name: JSON.stringify(name),
        policy: JSON.stringify(policy),
        intentions: JSON.stringify(intentions),
      })}`;
      if (!isAccess(policy) || (policy === 'list' && resource !== 'key'))
        throw new RulesError(`Invalid ${key} policy: ${shown}`);
      if (intentions !== '' && (!isAccess(intentions) || intentions === 'list'))
        throw new RulesError(`Invalid ${key} intentions policy: ${shown}`);
      return { resource, name, prefix, access: policy };
    }),
  );
  check('keyring');
  check('operator');
  return { named, plain };
}

function itemsOf(text: string): readonly HclItem[] {
  try {
    return parseHcl(text);
  } catch (error) {
    if (error instanceof HclError) throw new RulesError(`Failed to parse ACL rules: ${error.message}`);
    throw error;
  }
}

function isAccess(text: string): text is Access {
  return text in RANK;
}

/** Each `key "name" { … }`; without a name the object is one rule, or has the names as its keys. */
function fieldsOf(items: readonly HclItem[], key: string): Fields[] {
  const all: { name: string; inner: readonly HclItem[] }[] = [];
  const add = (value: HclValue): void => {
    if (value.kind === 'list') for (const each of value.of) add(each);
    else if (value.kind !== 'object') throw unknownType(value, 'slice type:');
    else if (value.items.length > 0 && value.items.every((item) => item.value.kind === 'object'))
      for (const item of value.items) all.push({ name: item.key, inner: innerOf(item.value) });
    else all.push({ name: '', inner: value.items });
  };
  for (const { labels, value } of items) {
    const [name, ...more] = labels;
    if (name === undefined) add(value);
    // What two names hold is not a rule's.
    else all.push({ name, inner: more.length > 0 ? [] : innerOf(value) });
  }
  return all.map(({ name, inner }, index) => {
    const field = (wanted: string): string =>
      textOf(
        inner.findLast((item) => item.key.toLowerCase() === wanted)?.value,
        `${key}[${index}].${wanted[0]?.toUpperCase()}${wanted.slice(1)}`,
      );
    return { name, policy: field('policy'), intentions: field('intentions') };
  });
}

function innerOf(value: HclValue): readonly HclItem[] {
  return value.kind === 'object' ? value.items : [];
}

function textOf(value: HclValue | undefined, path: string): string {
  if (value === undefined) return '';
  if (value.kind === 'text') return value.text;
  throw unknownType(value, 'type for string', `root.${path}: `);
}

function unknownType(value: HclValue, wanted: string, path = ''): RulesError {
  const go = { list: 'ListType', object: 'ObjectList', bool: 'LiteralType', text: 'LiteralType' }[value.kind];
  return new RulesError(`Failed to parse ACL rules: At ${value.at}: ${path}unknown ${wanted} *ast.${go}`);
}

/** The access that several policies grant together: the most specific name wins, and among equals a denial. */
export function accessTo(
  rules: readonly Rules[],
  resource: Resource,
  name: string,
  fallback: Access,
): Access {
  let best: Rule | undefined;
  for (const rule of rules.flatMap(({ named }) => named)) {
    if (rule.resource !== resource || !(rule.prefix ? name.startsWith(rule.name) : rule.name === name))
      continue;
    if (!best || isMoreSpecific(rule, best)) best = rule;
  }
  return best?.access ?? fallback;
}

/** What several policies grant together without a name: a denial wins, and then the most. */
export function plainAccess(rules: readonly Rules[], resource: Plain, fallback: Access): Access {
  return (
    rules
      .flatMap(({ plain }) => plain[resource] ?? [])
      .reduce<Access | undefined>(
        (best, access) => (best === undefined || isStronger(access, best) ? access : best),
        undefined,
      ) ?? fallback
  );
}

function isMoreSpecific(a: Rule, b: Rule): boolean {
  if (a.prefix !== b.prefix) return !a.prefix;
  return a.name.length === b.name.length ? isStronger(a.access, b.access) : a.name.length > b.name.length;
}

function isStronger(a: Access, b: Access): boolean {
  if (a === 'deny' || b === 'deny') return a === 'deny';
  return RANK[a] > RANK[b];
}

export function allows(access: Access, wanted: 'read' | 'list' | 'write'): boolean {
  return RANK[access] >= RANK[wanted];
}
