const RATE_STEP = 0.05;

/** The successes and failures of this app's calls to one target. */
export class CallHistory {
  #successRate = 1;
  #consecutiveFailures = 0;
  #consecutiveRefusals = 0;
  #failingSince = 0;
  #lastFailureAt = -Infinity;
  #lastSuccessAt = -Infinity;
  #calls = 0;
  #failures = 0;
  #consecutiveAbandoned = 0;

  /** Moving average, 0 to 1. */
  get successRate(): number {
    return this.#successRate;
  }

  /** Failures since the last success. */
  get consecutiveFailures(): number {
    return this.#consecutiveFailures;
  }

  /** Of the consecutive failures, those in which the connection failed. */
  get consecutiveRefusals(): number {
    return this.#consecutiveRefusals;
  }

  /** When the present run of failures began. */
  get failingSince(): number {
    return this.#failingSince;
  }

  get lastFailureAt(): number {
    return this.#lastFailureAt;
  }

  get lastSuccessAt(): number {
    return this.#lastSuccessAt;
  }

  /** Calls in the present interval of the success-rate comparison. */
  get calls(): number {
    return this.#calls;
  }

  /** Failures in the present interval of the success-rate comparison. */
  get failures(): number {
    return this.#failures;
  }

  succeeded(now: number): void {
    this.#count(1);
    this.forgetFailures();
    this.#lastSuccessAt = now;
  }

  /** It answered with an error of its own: that counts where instances are compared, and not as a broken connection. */
  serverFailed(): void {
    this.#count(0);
    this.#failures++;
    this.#consecutiveAbandoned = 0;
  }

  /** @returns how many attempts in a row their callers abandoned, without any response in between */
  abandoned(): number {
    return ++this.#consecutiveAbandoned;
  }

  failed(now: number, isRefusal: boolean): void {
    this.#count(0);
    this.#failures++;
    this.#lastFailureAt = now;
    if (this.#consecutiveFailures++ === 0) this.#failingSince = now;
    if (isRefusal) this.#consecutiveRefusals++;
  }

  /** A probe without a call: the connection was refused. */
  probeRefused(): void {
    this.#consecutiveFailures++;
    this.#consecutiveRefusals++;
  }

  /** A probe without a call: the connection was accepted. */
  probeAccepted(): void {
    this.#consecutiveRefusals = 0;
  }

  forgetFailures(): void {
    this.#consecutiveAbandoned = 0;
    this.#consecutiveFailures = 0;
    this.#consecutiveRefusals = 0;
  }

  startInterval(): void {
    this.#calls = 0;
    this.#failures = 0;
  }

  #count(success: 0 | 1): void {
    this.#calls++;
    this.#successRate += (success - this.#successRate) * RATE_STEP;
  }
}
