import { closeNames } from '../spelling/close-names.js';
import { formatConfigPath } from './config-path.js';
import type { ConfigTree } from './layers/config-tree.js';
import { isContainer } from './values/plain-values.js';

/** A value that the schema has dropped, since it declares no such name. */
export interface UnusedValue {
  readonly key: string;
  readonly path: string;
  /** A name beside it that may be meant. */
  readonly close: string | undefined;
}

/** More of them are not compared with the names that the schema has. */
const MAX_COMPARED = 50;

/** The values of the registry that are not among those that the schema returned. */
export function unusedValues(tree: ConfigTree, values: unknown): readonly UnusedValue[] {
  let compared = 0;
  return [...tree.leaves()].flatMap(({ path, leaf }) => {
    let at: unknown = values;
    for (const [level, name] of path.entries()) {
      // A value of another kind was made of it.
      if (!isContainer(at) || Array.isArray(at)) return [];
      if (!Object.hasOwn(at, name)) {
        const [close] = compared++ < MAX_COMPARED ? closeNames(name, Object.keys(at)) : [];
        const above = path.slice(0, level);
        return [
          {
            key: leaf.key,
            path: formatConfigPath(path),
            close: close === undefined ? undefined : formatConfigPath([...above, close]),
          },
        ];
      }
      at = at[name];
    }
    return [];
  });
}
