import type { Clock } from '../../timing/clock.js';

export interface CircuitBreakerRules {
  /** The circuit opens when this share of the calls in the window failed, or more, 0 to 1. */
  readonly failureRate: number;
  /** Fewer calls in the window decide nothing. */
  readonly minimumCalls: number;
  readonly windowMs: number;
  /** How long the circuit is open before a trial call. */
  readonly openMs: number;
}

const BUCKETS = 10;

/** Identifies the state of the circuit in which a call was admitted. */
export type Admission = symbol;

/**
 * Rejects calls to a service while most of them fail: callers with a fallback get it at once, and the service gets time to
 * recover. One trial call at a time then decides whether the circuit closes; where it has not ended after `openMs`, as a stream that is quiet, another one may.
 * Source: Michael Nygard, "Release It!", 2007; the rolling window is that of Hystrix.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #rules: CircuitBreakerRules;
  readonly #calls = new Array<number>(BUCKETS).fill(0);
  readonly #failures = new Array<number>(BUCKETS).fill(0);
  #bucket = 0;
  #bucketEndsAt: number;
  #openUntil: number | undefined;
  /** Of all calls while the circuit is closed; replaced each time that it closes. */
  #closedAdmission: Admission = Symbol('closed');
  #trial: Admission | undefined;
  #trialSince = -Infinity;

  constructor(clock: Clock, rules: CircuitBreakerRules) {
    this.#clock = clock;
    this.#rules = rules;
    this.#bucketEndsAt = clock.now() + rules.windowMs / BUCKETS;
  }

  get isOpen(): boolean {
    return this.#openUntil !== undefined;
  }

  /** To be passed to `record` when the call has ended; undefined: the call is rejected. */
  admit(): Admission | undefined {
    if (this.#openUntil === undefined) return this.#closedAdmission;
    const now = this.#clock.now();
    const isTrying = this.#trial !== undefined && now - this.#trialSince < this.#rules.openMs;
    if (isTrying || now < this.#openUntil) return undefined;
    this.#trialSince = now;
    this.#trial = Symbol('trial');
    return this.#trial;
  }

  /**
   * Records the end of a call.
   *
   * @param hasFailed undefined: the call says nothing about the service, since its caller cancelled it
   * @returns `opened` or `closed` when this call changed the state
   */
  record(admission: Admission, hasFailed: boolean | undefined): 'opened' | 'closed' | undefined {
    if (admission === this.#trial) return this.#decideTrial(hasFailed);
    // A call that was admitted before the last change of state decides nothing.
    if (admission !== this.#closedAdmission || this.#openUntil !== undefined || hasFailed === undefined)
      return undefined;
    this.#rotate();
    this.#calls[this.#bucket] = (this.#calls[this.#bucket] ?? 0) + 1;
    if (!hasFailed) return undefined;
    this.#failures[this.#bucket] = (this.#failures[this.#bucket] ?? 0) + 1;
    const calls = sum(this.#calls);
    if (calls < this.#rules.minimumCalls || sum(this.#failures) / calls < this.#rules.failureRate)
      return undefined;
    this.#open();
    return 'opened';
  }

  #decideTrial(hasFailed: boolean | undefined): 'closed' | undefined {
    this.#trial = undefined;
    if (hasFailed === undefined) return undefined;
    if (hasFailed) {
      this.#open();
      return undefined;
    }
    this.#openUntil = undefined;
    this.#closedAdmission = Symbol('closed');
    this.#calls.fill(0);
    this.#failures.fill(0);
    return 'closed';
  }

  #open(): void {
    this.#openUntil = this.#clock.now() + this.#rules.openMs;
  }

  /** Moves on to the bucket of the present time, and clears those that it passes. */
  #rotate(): void {
    const width = this.#rules.windowMs / BUCKETS;
    const now = this.#clock.now();
    for (let passed = 0; now >= this.#bucketEndsAt && passed < BUCKETS; passed++) {
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
