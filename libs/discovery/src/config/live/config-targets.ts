type Names = Readonly<Record<string, unknown>>;

/** A target may have copied the names of an earlier version, before it was added. */
const MAX_KEPT_VERSIONS = 8;

/** Objects that show the values of the present version: what the factory returned, and what `ConfigService` reads. */
export class ConfigTargets {
  readonly #targets = new Set<Record<string, unknown>>();
  /** What was shown, the latest version first: names at the top, and their values. */
  #shown: readonly Names[] = [{}];

  /** Keeps another object up to date; a name that it has from elsewhere stays as it is. */
  add(target: object): void {
    const own = target as Record<string, unknown>;
    this.#targets.add(own);
    change(own, this.#shown, this.#shown[0] ?? {});
  }

  remove(target: object): void {
    this.#targets.delete(target as Record<string, unknown>);
  }

  /** Changes every target in place. Nothing else runs in between, so that a reader sees all of a version or none of it. */
  show(values: object): void {
    const next = { ...values };
    for (const target of this.#targets) change(target, this.#shown.slice(0, 1), next);
    this.#shown = [next, ...this.#shown].slice(0, MAX_KEPT_VERSIONS);
  }
}

function change(target: Record<string, unknown>, versions: readonly Names[], next: Names): void {
  // What another loader put in the place of a value stays.
  const isOurs = (name: string): boolean =>
    !Object.hasOwn(target, name) ||
    versions.some((version) => Object.hasOwn(version, name) && Object.is(target[name], version[name]));
  for (const name of new Set(versions.flatMap(Object.keys)))
    if (!Object.hasOwn(next, name) && isOurs(name)) Reflect.deleteProperty(target, name);
  for (const [name, value] of Object.entries(next)) if (isOurs(name)) target[name] = value;
}
