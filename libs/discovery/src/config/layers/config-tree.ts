import { isPlainObject } from '../values/plain-values.js';

/** A value, the key that gave it, and the values that it overrides, the last of them first. */
export interface Leaf {
  readonly value: unknown;
  readonly key: string;
  readonly overrides: readonly Overridden[];
}

export interface Overridden {
  readonly path: readonly string[];
  readonly key: string;
  readonly value: unknown;
}

/**
 * Values by path. A list is one value: it is replaced as a whole. A value at `limits` and a value at `limits.rate` exclude
 * each other.
 */
export class ConfigTree {
  #leaf: Leaf | undefined;
  readonly #children = new Map<string, ConfigTree>();

  get leaf(): Leaf | undefined {
    return this.#leaf;
  }

  get children(): ReadonlyMap<string, ConfigTree> {
    return this.#children;
  }

  get isEmpty(): boolean {
    return !this.#leaf && this.#children.size === 0;
  }

  /** Sets a value; what was at its place, above it or below it, is overridden, and returned. */
  set(path: readonly string[], value: unknown, key: string): readonly Overridden[] {
    return this.#set(path, 0, value, key, []);
  }

  find(path: readonly string[]): ConfigTree | undefined {
    const [name, ...rest] = path;
    return name === undefined ? this : this.#children.get(name)?.find(rest);
  }

  /** Every leaf, with its path, in the order in which the names were first set. */
  *leaves(
    path: readonly string[] = [],
  ): Generator<{ readonly path: readonly string[]; readonly leaf: Leaf }> {
    if (this.#leaf) yield { path, leaf: this.#leaf };
    for (const [name, child] of this.#children) yield* child.leaves([...path, name]);
  }

  /** The values as plain data. */
  toValue(): unknown {
    if (this.#leaf) return this.#leaf.value;
    return Object.fromEntries([...this.#children].map(([name, child]) => [name, child.toValue()]));
  }

  /** Replaces the value of this leaf by what it stands for. */
  resolve(value: unknown): void {
    if (this.#leaf) this.#leaf = { ...this.#leaf, value };
  }

  #set(
    path: readonly string[],
    level: number,
    value: unknown,
    key: string,
    above: readonly Overridden[],
  ): readonly Overridden[] {
    const name = path[level];
    if (name === undefined) {
      // An empty object adds nothing to an object.
      if (isEmptyObject(value) && this.#children.size > 0) return [];
      const overrides = [...this.#allOverridden(path), ...above];
      this.#children.clear();
      this.#leaf = { value, key, overrides };
      return overrides;
    }
    const replaced = this.#leaf ? overriddenBy(this.#leaf, path.slice(0, level)) : [];
    this.#leaf = undefined;
    let child = this.#children.get(name);
    if (!child) this.#children.set(name, (child = new ConfigTree()));
    return child.#set(path, level + 1, value, key, [...replaced, ...above]);
  }

  #allOverridden(path: readonly string[]): Overridden[] {
    return [...this.leaves(path)].flatMap(({ path: at, leaf }) => overriddenBy(leaf, at));
  }
}

function overriddenBy({ value, key, overrides }: Leaf, path: readonly string[]): Overridden[] {
  return isEmptyObject(value) ? [...overrides] : [{ path, key, value }, ...overrides];
}

function isEmptyObject(value: unknown): boolean {
  return isPlainObject(value) && Object.keys(value).length === 0;
}
