import { parseConfigPath, type ConfigPath } from '../config-path.js';
import type { ConfigTree } from '../layers/config-tree.js';
import type { ConfigProblem } from '../problem.js';
import { SECRET_SHOWN, type SecretPaths } from '../secret-paths.js';
import type { ValueIssue } from './validate-values.js';
import { valueAt } from './share-values.js';

const LONGEST_VALUE = 80;

/** What a schema finds wrong, with the key that gave the value, and the value unless it is a secret. */
export function describeIssue(
  { path, message }: ValueIssue,
  values: unknown,
  tree: ConfigTree,
  secrets: SecretPaths,
): ConfigProblem {
  const at = pathOf(path);
  const value = valueAt(values, at);
  const key = keyOf(tree, at);
  const name = path === '' ? 'the configuration' : path;
  if (value === undefined) return { key: key ?? name, reason: `${name} is missing: ${message}` };
  const isSecret = secrets.isSecret(at);
  const shown = isSecret ? SECRET_SHOWN : brief(value);
  // A message may quote the value.
  return {
    key: key ?? name,
    reason: `${name} = ${shown}: ${isSecret ? 'it is not as the schema declares' : message}`,
  };
}

/** The key of the value, or of what contains it. */
function keyOf(tree: ConfigTree, path: ConfigPath): string | undefined {
  for (let end = path.length; end > 0; end--) {
    const found = tree.find(path.slice(0, end).map(String));
    const [first] = found?.leaves() ?? [];
    if (first) return end === path.length || found?.leaf ? first.leaf.key : undefined;
  }
  return undefined;
}

function pathOf(text: string): ConfigPath {
  try {
    return text === '' ? [] : parseConfigPath(text);
  } catch {
    return [text];
  }
}

/** Of an object only the names: a part of it may be a secret. */
export function brief(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return `{ ${Object.keys(value).join(', ')} }`;
  const text = (JSON.stringify(value) as string | undefined) ?? String(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}
