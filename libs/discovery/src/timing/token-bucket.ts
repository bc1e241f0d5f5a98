import type { Clock } from './clock.js';

export interface TokenBucketOptions {
  /** How many tokens may be used at once. */
  readonly capacity: number;
  /** One token is added each time this many milliseconds have passed. */
  readonly refillEvery: number;
}

/** A rate limit that allows bursts: a short burst of changes is followed closely, a permanent one is sampled. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #options: TokenBucketOptions;
  /** When the bucket will be full; it lies in the future while tokens are owed. */
  #fullAt: number;

  constructor(clock: Clock, options: TokenBucketOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#fullAt = clock.now();
  }

  /** @returns in how many milliseconds the token that was taken may be used; 0 is now */
  take(): number {
    const { capacity, refillEvery } = this.#options;
    const now = this.#clock.now();
    this.#fullAt = Math.max(this.#fullAt, now) + refillEvery;
    return Math.max(0, this.#fullAt - now - capacity * refillEvery);
  }
}
