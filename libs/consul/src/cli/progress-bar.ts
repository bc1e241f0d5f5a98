const SHOWN_AFTER_MS = 1_000;
const WIDTH = 30;

/** Shows how far a work is, once it takes longer than a second. */
export class ProgressBar {
  readonly #show: ((text: string) => void) | undefined;
  readonly #total: number;
  readonly #now: () => number;
  readonly #startedAt: number;
  #isShown = false;

  constructor(
    total: number,
    show: ((text: string) => void) | undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#total = total;
    this.#show = show;
    this.#now = now;
    this.#startedAt = now();
  }

  update(done: number): void {
    if (this.#now() - this.#startedAt < SHOWN_AFTER_MS) return;
    const filled = Math.round((done / Math.max(1, this.#total)) * WIDTH);
    this.#show?.(`[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done} of ${this.#total}`);
    this.#isShown = true;
  }

  /** Removes it. */
  end(): void {
    if (this.#isShown) this.#show?.('');
  }
}
