const KEPT_MS = 600_000;
const MOST = 60;

/** Since when a thing is in its state, and which states it had in the last ten minutes. */
export class StateHistory {
  readonly #states: (readonly [at: number, state: string])[] = [];

  /** @returns whether it is another state than before */
  note(state: string, now: number): boolean {
    if (this.#states.at(-1)?.[1] === state) return false;
    this.#states.push([now, state]);
    // The one in which the ten minutes began is needed to draw them.
    while (this.#states.length > 1 && (this.#states[1]?.[0] ?? now) < now - KEPT_MS) this.#states.shift();
    if (this.#states.length > MOST) this.#states.shift();
    return true;
  }

  get since(): number {
    return this.#states.at(-1)?.[0] ?? 0;
  }

  get all(): readonly (readonly [at: number, state: string])[] {
    return this.#states;
  }
}
