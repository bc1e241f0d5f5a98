/** Objects that show the values of the present version: what the factory returned, and what `ConfigService` reads. */
export class ConfigTargets {
  readonly #targets = new Set<Record<string, unknown>>();
  /** The names at the top that a target has from us, and their values. */
  #shown: Readonly<Record<string, unknown>> = {};

  /** Keeps another object up to date; a name that it has from elsewhere stays as it is. */
  add(target: object): void {
    const own = target as Record<string, unknown>;
    this.#targets.add(own);
    for (const [name, value] of Object.entries(this.#shown)) if (!Object.hasOwn(own, name)) own[name] = value;
  }

  remove(target: object): void {
    this.#targets.delete(target as Record<string, unknown>);
  }

  /** Changes every target in place. Nothing else runs in between, so that a reader sees all of a version or none of it. */
  show(values: object): void {
    const previous = this.#shown;
    this.#shown = { ...values };
    for (const target of this.#targets) change(target, previous, this.#shown);
  }
}

function change(
  target: Record<string, unknown>,
  previous: Readonly<Record<string, unknown>>,
  next: Readonly<Record<string, unknown>>,
): void {
  // What another loader put in the place of a value stays.
  const isOurs = (name: string): boolean => !Object.hasOwn(target, name) || target[name] === previous[name];
  for (const name of Object.keys(previous))
    if (!Object.hasOwn(next, name) && isOurs(name)) Reflect.deleteProperty(target, name);
  for (const [name, value] of Object.entries(next)) if (isOurs(name)) target[name] = value;
}
