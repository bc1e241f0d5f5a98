/** Objects that show the values of the present version: what the factory returned, and what `ConfigService` reads. */
export class ConfigTargets {
  readonly #targets = new Set<object>();
  /** The names at the top that a target has from us, and their values. */
  #shown: Readonly<Record<string, unknown>> = {};

  /** Keeps another object up to date. */
  add(target: object): void {
    this.#targets.add(target);
    Object.assign(target, this.#shown);
  }

  remove(target: object): void {
    this.#targets.delete(target);
  }

  /** Changes every target in place. Nothing else runs in between, so that a reader sees all of a version or none of it. */
  show(values: object): void {
    const next = { ...values } as Readonly<Record<string, unknown>>;
    for (const target of this.#targets as ReadonlySet<Record<string, unknown>>) {
      // What another loader put in its place stays.
      for (const name of Object.keys(this.#shown))
        if (!Object.hasOwn(next, name) && target[name] === this.#shown[name])
          Reflect.deleteProperty(target, name);
      Object.assign(target, next);
    }
    this.#shown = next;
  }
}
