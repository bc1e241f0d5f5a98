import { withoutCredentials } from '../../configuration/without-credentials.js';
import { formatConfigPath, type ConfigPath } from '../config-path.js';
import type { ConfigTree } from '../layers/config-tree.js';
import type { ConfigProblem } from '../problem.js';
import { SECRET_SHOWN, type SecretPaths } from '../secret-paths.js';
import { valueAt } from './plain-values.js';
import { SecretValues } from './secret-values.js';
import type { ValueIssue } from './validate-values.js';

const LONGEST_VALUE = 80;
/** As many as a reader takes in. */
const MAX_ISSUES = 50;

/** What a schema finds wrong, with the keys that gave the values, and the values unless they are secrets. */
export function describeIssues(
  issues: readonly ValueIssue[],
  values: unknown,
  tree: ConfigTree,
  paths: SecretPaths,
): readonly ConfigProblem[] {
  const secrets = new SecretValues(values, paths);
  const described = issues
    .slice(0, MAX_ISSUES)
    .map((issue) => describeIssue(issue, values, tree, paths, secrets));
  const more = issues.length - described.length;
  return more > 0 ? [...described, { key: 'the configuration', reason: `and ${more} more` }] : described;
}

function describeIssue(
  { path, message }: ValueIssue,
  values: unknown,
  tree: ConfigTree,
  paths: SecretPaths,
  secrets: SecretValues,
): ConfigProblem {
  const value = valueAt(values, path);
  const name = path.length === 0 ? 'the configuration' : formatConfigPath(path);
  const key = keyOf(tree, path) ?? name;
  // A message may quote the value, or what contains it.
  const shownMessage = secrets.redactText(message);
  if (value === undefined) return { key, reason: `${name} is missing: ${shownMessage}` };
  if (paths.isSecret(path))
    return { key, reason: `${name} = ${SECRET_SHOWN}: it is not as the schema declares` };
  // What looks like a number or a boolean is one, unless it is in quotation marks.
  const isTyped = (typeof value === 'number' || typeof value === 'boolean') && /\bstring\b/i.test(message);
  const hint = isTyped ? `; as a text it has to be in quotation marks: ${JSON.stringify(String(value))}` : '';
  const shown = path.length === 0 ? '' : ` = ${brief(secrets.redact(path, value))}`;
  return { key, reason: `${name}${shown}: ${shownMessage}${hint}` };
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

/** Of an object only the names: a part of it may be a secret. */
export function brief(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return `{ ${Object.keys(value).join(', ')} }`;
  const text =
    typeof value === 'string' ? withoutCredentials(JSON.stringify(value), '(secret)') : String(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}
