import type { Clock } from '../../timing/clock.js';

export interface CircuitBreakerRules {
  /** It opens when this share of the calls in the window failed, or more, 0 to 1. */
  readonly failureRate: number;
  /** Fewer calls in the window say nothing. */
  readonly minimumCalls: number;
  readonly windowMs: number;
  /** After so long one call may try. */
  readonly openMs: number;
}

const BUCKETS = 10;

/** Tells calls apart by when they were admitted. */
export type Ticket = symbol;

/**
 * Refuses calls to a service while nearly all of them fail: whoever waits for a fallback has it at once, and the service
 * is left alone. One call at a time then finds out whether it is back.
 * Source: Michael Nygard, "Release It!", 2007; the rolling window is Hystrix's.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #rules: CircuitBreakerRules;
  readonly #calls = new Array<number>(BUCKETS).fill(0);
  readonly #failures = new Array<number>(BUCKETS).fill(0);
  #bucket = 0;
  #bucketEndsAt: number;
  #openUntil: number | undefined;
  /** Of all calls while it is closed; another one after it was open. */
  #ticket: Ticket = Symbol('closed');
  #trial: Ticket | undefined;

  constructor(clock: Clock, rules: CircuitBreakerRules) {
    this.#clock = clock;
    this.#rules = rules;
    this.#bucketEndsAt = clock.now() + rules.windowMs / BUCKETS;
  }

  get isOpen(): boolean {
    return this.#openUntil !== undefined;
  }

  /** What a call is to show when it has ended; undefined: it may not be made. */
  admit(): Ticket | undefined {
    if (this.#openUntil === undefined) return this.#ticket;
    if (this.#trial || this.#clock.now() < this.#openUntil) return undefined;
    this.#trial = Symbol('trial');
    return this.#trial;
  }

  /**
   * A call has ended.
   *
   * @param hasFailed undefined: it says nothing, as its caller gave it up
   * @returns `opened` or `closed` when this call changed its state
   */
  record(ticket: Ticket, hasFailed: boolean | undefined): 'opened' | 'closed' | undefined {
    if (ticket === this.#trial) return this.#decide(hasFailed);
    // One from before it opened, or closed, decides nothing.
    if (ticket !== this.#ticket || this.#openUntil !== undefined || hasFailed === undefined) return undefined;
    this.#turn();
    this.#calls[this.#bucket] = (this.#calls[this.#bucket] ?? 0) + 1;
    if (!hasFailed) return undefined;
    this.#failures[this.#bucket] = (this.#failures[this.#bucket] ?? 0) + 1;
    const calls = sum(this.#calls);
    if (calls < this.#rules.minimumCalls || sum(this.#failures) / calls < this.#rules.failureRate)
      return undefined;
    this.#open();
    return 'opened';
  }

  #decide(hasFailed: boolean | undefined): 'closed' | undefined {
    this.#trial = undefined;
    if (hasFailed === undefined) return undefined;
    if (hasFailed) {
      this.#open();
      return undefined;
    }
    this.#openUntil = undefined;
    this.#ticket = Symbol('closed');
    this.#calls.fill(0);
    this.#failures.fill(0);
    return 'closed';
  }

  #open(): void {
    this.#openUntil = this.#clock.now() + this.#rules.openMs;
  }

  #turn(): void {
    const width = this.#rules.windowMs / BUCKETS;
    const now = this.#clock.now();
    for (let turns = 0; now >= this.#bucketEndsAt && turns < BUCKETS; turns++) {
      this.#bucket = (this.#bucket + 1) % BUCKETS;
      this.#calls[this.#bucket] = 0;
      this.#failures[this.#bucket] = 0;
      this.#bucketEndsAt += width;
    }
    if (now >= this.#bucketEndsAt) this.#bucketEndsAt = now + width;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
