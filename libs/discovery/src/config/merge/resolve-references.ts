import { errorMessage } from '../../errors/error-message.js';
import { formatConfigPath, parseConfigPath, type ConfigPath } from '../config-path.js';
import { isPlainObject } from '../values/plain-values.js';
import type { ConfigTree, Leaf } from '../layers/config-tree.js';
import { textValue } from '../layers/text-value.js';
import type { ConfigProblem } from '../problem.js';
import type { SecretPaths } from '../secret-paths.js';
import { parseTemplate, type Reference, type TemplatePart } from './template.js';

export interface ReferenceOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly values: 'typed' | 'text';
  readonly secrets: SecretPaths;
}

export interface ResolvedReferences {
  readonly problems: readonly ConfigProblem[];
  /** The paths of the values that contain a secret because of a reference. */
  readonly secrets: readonly ConfigPath[];
}

const MAX_LENGTH = 524_288;
/** Of references to references. */
const MAX_CHAIN = 100;
/** How many values all references together may copy. */
const MAX_COPIED = 100_000;

/**
 * Replaces the references in all texts, in place: `${limits.rate}` is another value, else a variable of the environment, and
 * `${limits.rate:100}` has a default. A text that is one reference gets the value with its type.
 */
export function resolveReferences(tree: ConfigTree, options: ReferenceOptions): ResolvedReferences {
  const resolution = new Resolution(tree, options);
  for (const { path, leaf } of [...tree.leaves()]) resolution.resolveLeaf(path, leaf);
  return resolution;
}

class Unresolved extends Error {}

interface Resolved {
  readonly value: unknown;
  readonly isSecret: boolean;
}

class Resolution implements ResolvedReferences {
  readonly problems: ConfigProblem[] = [];
  readonly secrets: ConfigPath[] = [];
  readonly #tree: ConfigTree;
  readonly #options: ReferenceOptions;
  readonly #done = new Map<string, boolean>();
  #copied = 0;
  /** The leaves on the way from the first reference to the present one. */
  readonly #open: string[] = [];
  /** How many of those are secrets. */
  #openSecrets = 0;

  constructor(tree: ConfigTree, options: ReferenceOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  /** Records what is wrong with it. */
  resolveLeaf(path: readonly string[], leaf: Leaf): void {
    try {
      this.#leaf(path, leaf);
    } catch (error) {
      if (!(error instanceof Unresolved)) throw error;
      // A password may contain what looks like a reference, and another value refer to it.
      const reason =
        this.#openSecrets > 0
          ? 'a reference in it cannot be resolved; write "$${" for "${" in a text that is none'
          : error.message;
      this.problems.push({ key: leaf.key, reason: `${formatConfigPath(path)}: ${reason}` });
    }
    this.#open.length = 0;
    this.#openSecrets = 0;
  }

  /** @returns whether it contains a secret */
  #leaf(path: readonly string[], leaf: Leaf): boolean {
    const name = formatConfigPath(path);
    const done = this.#done.get(name);
    if (done !== undefined) return done;
    if (this.#open.includes(name))
      throw new Unresolved(
        `refers to itself: ${[...this.#open.slice(this.#open.indexOf(name)), name].join(' → ')}`,
      );
    if (this.#open.length >= MAX_CHAIN) throw new Unresolved(`a chain of more than ${MAX_CHAIN} references`);
    const isNamedSecret = this.#options.secrets.isSecret(path);
    this.#open.push(name);
    if (isNamedSecret) this.#openSecrets++;
    const { value, isSecret } = this.#value(leaf.value);
    this.#open.pop();
    if (isNamedSecret) this.#openSecrets--;
    // A secret is the text that it is, wherever it comes from.
    const isScalar = typeof value === 'number' || typeof value === 'boolean';
    const isReference = value !== leaf.value;
    this.#tree.find(path)?.resolve(isNamedSecret && isScalar && isReference ? String(value) : value);
    if (isSecret) this.secrets.push(path);
    const contains = isSecret || isNamedSecret;
    this.#done.set(name, contains);
    return contains;
  }

  #value(value: unknown): Resolved {
    if (typeof value === 'string')
      return value.includes('${') ? this.#text(value) : { value, isSecret: false };
    if (Array.isArray(value)) {
      const items = value.map((item: unknown) => this.#value(item));
      return { value: items.map((item) => item.value), isSecret: items.some((item) => item.isSecret) };
    }
    if (!isPlainObject(value)) return { value, isSecret: false };
    const parts = Object.entries(value).map(([name, part]) => [name, this.#value(part)] as const);
    return {
      value: Object.fromEntries(parts.map(([name, part]) => [name, part.value])),
      isSecret: parts.some(([, part]) => part.isSecret),
    };
  }

  #text(text: string): Resolved {
    let parts: readonly TemplatePart[];
    try {
      parts = parseTemplate(text);
    } catch (error) {
      throw new Unresolved(errorMessage(error));
    }
    const [only] = parts;
    // The text of a reference alone keeps the type of what it refers to.
    if (parts.length === 1 && only !== undefined && typeof only !== 'string') return this.#reference(only);
    return this.#join(parts);
  }

  #join(parts: readonly TemplatePart[]): Resolved {
    let isSecret = false;
    let text = '';
    for (const part of parts) {
      if (typeof part === 'string') text += part;
      else {
        const resolved = this.#reference(part);
        isSecret ||= resolved.isSecret;
        if (typeof resolved.value === 'object' && resolved.value !== null)
          throw new Unresolved(`"\${${part.name}}" is no single value, and cannot be a part of a text`);
        text += String(resolved.value);
      }
      if (text.length > MAX_LENGTH)
        throw new Unresolved(`is longer than ${MAX_LENGTH} characters with its references`);
    }
    return { value: text, isSecret };
  }

  #reference({ name, defaultValue }: Reference): Resolved {
    const found = this.#found(name) ?? this.#variable(name);
    if (found) return found;
    if (defaultValue) {
      const { value, isSecret } = this.#join(defaultValue);
      return { value: this.#typed(String(value)), isSecret };
    }
    throw new Unresolved(
      `"\${${name}}" refers to no value and to no variable of the environment; set it, give a default as in "\${${name}:…}", ` +
        `or write "$\${" for a text that is no reference`,
    );
  }

  #found(name: string): Resolved | undefined {
    let path: ConfigPath;
    try {
      path = parseConfigPath(name);
    } catch {
      return undefined;
    }
    const tree = this.#tree.find(path.map(String));
    if (!tree || tree.isEmpty) return undefined;
    let isSecret = false;
    for (const { path: below, leaf } of [...tree.leaves(path.map(String))])
      isSecret = this.#leaf(below, leaf) || isSecret;
    return { value: this.#copy(tree.toValue()), isSecret };
  }

  /** Objects that refer to objects, each twice, would fill the memory. */
  #copy(value: unknown): unknown {
    if (++this.#copied > MAX_COPIED) throw new Unresolved(`references copy more than ${MAX_COPIED} values`);
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item: unknown) => this.#copy(item));
    if (!isPlainObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, this.#copy(part)]));
  }

  #variable(name: string): Resolved | undefined {
    const { environment, secrets } = this.#options;
    const text = Object.hasOwn(environment, name) ? environment[name] : undefined;
    return text === undefined ? undefined : { value: this.#typed(text), isSecret: secrets.isSecret([name]) };
  }

  #typed(text: string): unknown {
    return this.#options.values === 'typed' ? textValue(text) : text;
  }
}
