/** OpenTelemetry's word for what has no value of its own. */
export const OTHER = '_OTHER';

/** Bounds how many values an attribute has: each is a time series, and names may come from the users of an app. */
export class NameLimit {
  readonly #limit: number;
  readonly #known = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  of(name: string): string {
    if (this.#known.has(name)) return name;
    if (this.#known.size >= this.#limit) return OTHER;
    this.#known.add(name);
    return name;
  }
}
