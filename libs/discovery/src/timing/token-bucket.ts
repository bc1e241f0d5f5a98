import type { Clock } from './clock.js';

export interface TokenBucketOptions {
  /** How many rounds may follow each other at once. */
  readonly capacity: number;
  /** One more is allowed after each so many milliseconds. */
  readonly refillEvery: number;
}

/** A rate limit that allows bursts: what is busy for a moment is followed closely, what is busy for ever is sampled. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #options: TokenBucketOptions;
  /** When the bucket will be full; tokens that are owed lie in the future. */
  #fullAt: number;

  constructor(clock: Clock, options: TokenBucketOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#fullAt = clock.now();
  }

  /** Takes a token, and tells in how many milliseconds it may be used: 0 is now. */
  take(): number {
    const { capacity, refillEvery } = this.#options;
    const now = this.#clock.now();
    this.#fullAt = Math.max(this.#fullAt, now) + refillEvery;
    return Math.max(0, this.#fullAt - now - capacity * refillEvery);
  }
}
