import type { ConfigOrigin } from '../config-change.js';
import { formatConfigPath, type ConfigPath } from '../config-path.js';
import { valueAt } from '../values/plain-values.js';
import { SecretValues } from '../values/secret-values.js';
import type { BuiltConfig } from './build-version.js';

/** The value at a path and the origin of each single value there, with the secrets replaced. */
export function explainValue(
  { tree, values, raw, secrets: paths }: BuiltConfig,
  path: ConfigPath,
): { readonly value: unknown; readonly origins: readonly ConfigOrigin[] } {
  const secrets = new SecretValues(raw, paths);
  const names = path.map(String);
  // A position in a list, or a name below one, has the origin of the list.
  let from = names;
  let found = tree.find(names);
  while (!found && from.length > 1) {
    from = from.slice(0, -1);
    const above = tree.find(from);
    found = above?.leaf ? above : undefined;
  }
  return {
    value: secrets.redact(names, valueAt(values, names)),
    origins: [...(found?.leaves(from) ?? [])].map(({ path: at, leaf }) => ({
      path: formatConfigPath(at),
      value: secrets.redact(at, valueAt(values, at)),
      key: leaf.key,
      overrides: leaf.overrides.map((other) => ({
        key: other.key,
        value: secrets.redact(other.path, other.value),
      })),
    })),
  };
}
