import { errorMessage } from '../../errors/error-message.js';
import { assertName, formatConfigPath, parseConfigPath, type ConfigPath } from '../config-path.js';
import { InvalidContent } from '../problem.js';
import { isPlainObject } from '../values/plain-values.js';
import { ConfigTree } from './config-tree.js';

/** A value as one key gives it. */
export interface GivenValue {
  readonly path: ConfigPath;
  readonly value: unknown;
  readonly key: string;
}

const MAX_VALUES = 100_000;
const MAX_NESTING = 64;
const MAX_LIST = 10_000;

/**
 * Puts the values of one layer in a tree. Objects are taken apart, so that later layers can override a part of them.
 *
 * @throws InvalidContent for two values at one place, a list with a gap, or names that are not allowed
 */
export function fillTree(given: Iterable<GivenValue>): ConfigTree {
  const tree = new ConfigTree();
  const lists = new Map<string, ListUnderConstruction>();
  let count = 0;
  for (const { path, value, key } of given) {
    for (const part of partsOf(path, value, key, 0)) {
      if (++count > MAX_VALUES) throw new InvalidContent(key, `more than ${MAX_VALUES} values`);
      const list = part.path.findIndex((name) => typeof name === 'number');
      if (list >= 0) addToList(lists, part, list);
      else put(tree, part.path as readonly string[], part.value, key);
    }
  }
  for (const { path, items, key } of lists.values()) put(tree, path, listOf(items, path, key), key);
  return tree;
}

/** A list whose items have keys of their own: `hosts[0]`, `hosts[1].name`. */
interface ListUnderConstruction {
  readonly path: readonly string[];
  readonly items: Map<number, GivenValue[]>;
  readonly key: string;
}

function addToList(lists: Map<string, ListUnderConstruction>, part: GivenValue, at: number): void {
  if (at === 0) throw new InvalidContent(part.key, 'a list needs a name before its position');
  const path = part.path.slice(0, at) as readonly string[];
  const name = path.join('\0');
  let list = lists.get(name);
  if (!list) lists.set(name, (list = { path, items: new Map(), key: part.key }));
  const index = part.path[at] as number;
  const rest = { ...part, path: part.path.slice(at + 1) };
  const given = list.items.get(index);
  if (given) given.push(rest);
  else list.items.set(index, [rest]);
}

function listOf(items: ReadonlyMap<number, readonly GivenValue[]>, path: ConfigPath, key: string): unknown[] {
  if (items.size > MAX_LIST) throw new InvalidContent(key, `a list of more than ${MAX_LIST}`);
  return Array.from({ length: items.size }, (_, index) => {
    const given = items.get(index);
    if (!given)
      throw new InvalidContent(
        key,
        `${formatConfigPath(path)} has ${items.size} items, and none at position ${index}`,
      );
    return fillTree(given).toValue();
  });
}

function put(tree: ConfigTree, path: readonly string[], value: unknown, key: string): void {
  const [other] = tree.set(path, value, key);
  if (!other) return;
  const name = shownName(formatConfigPath(path));
  throw new InvalidContent(
    key,
    other.key === key
      ? `gives ${name} twice`
      : `gives ${name}, which ${other.key} gives as well, or a part of it`,
  );
}

/** What stands in the place of a name may be a line of a key, or another secret. */
function shownName(name: string): string {
  return /^[A-Za-z_][\w.[\]-]{0,39}$/.test(name) ? `"${name}"` : 'a name';
}

function* partsOf(path: ConfigPath, value: unknown, key: string, nesting: number): Generator<GivenValue> {
  if (nesting > MAX_NESTING) throw new InvalidContent(key, `is nested deeper than ${MAX_NESTING} levels`);
  if (!isPlainObject(value) || Object.keys(value).length === 0) {
    yield { path, value: Array.isArray(value) ? listItems(value, key, nesting) : value, key };
    return;
  }
  for (const [name, part] of Object.entries(value)) {
    let names: ConfigPath;
    try {
      names = parseConfigPath(assertName(name));
    } catch (error) {
      throw new InvalidContent(key, errorMessage(error));
    }
    // Names with dots add levels, too.
    yield* partsOf([...path, ...names], part, key, nesting + names.length);
  }
}

function listItems(list: readonly unknown[], key: string, nesting: number): unknown[] {
  if (list.length > MAX_LIST) throw new InvalidContent(key, `a list of more than ${MAX_LIST}`);
  if (nesting > MAX_NESTING) throw new InvalidContent(key, `is nested deeper than ${MAX_NESTING} levels`);
  return list.map((item: unknown) => {
    if (Array.isArray(item)) return listItems(item, key, nesting + 1);
    if (!isPlainObject(item)) return item;
    const parts = [...partsOf([], item, key, nesting + 1)];
    return fillTree(parts).toValue();
  });
}
