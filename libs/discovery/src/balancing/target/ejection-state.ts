/** Why a target takes no calls for a while. */
export interface Ejection {
  readonly since: number;
  readonly until: number;
  readonly reason: string;
  /** The instance asked for it with `Retry-After`: no trial call is needed when its time is over. */
  readonly isRequested: boolean;
  /** It refused connections, which can be probed without a call, so that it ends as soon as connections are accepted. */
  readonly wasRefused: boolean;
}

/** The states of Finagle's failure accrual: active (Alive), ejected (Dead), half-open (ProbeOpen, ProbeClosed). */
export type EjectionPhase =
  | { readonly phase: 'active' }
  | { readonly phase: 'ejected'; readonly ejection: Ejection }
  /** The time of the ejection is over; the outcome of one trial call decides. */
  | {
      readonly phase: 'half-open';
      readonly ejection: Ejection;
      /** When the trial call that is in flight began; undefined: there is none. */
      readonly trialSince: number | undefined;
    };

const ACTIVE: EjectionPhase = { phase: 'active' };

/** A trial call may be a stream that has no end: after this time, another call may be one too. */
const TRIAL_MS = 10_000;

/** Whether a target is ejected, and how often it was recently. */
export class EjectionState {
  #current: EjectionPhase = ACTIVE;
  #count = 0;
  #countChangedAt = 0;

  get phase(): EjectionPhase['phase'] {
    return this.#current.phase;
  }

  get isActive(): boolean {
    return this.#current === ACTIVE;
  }

  /** The present ejection; undefined while the target is active. */
  get ejection(): Ejection | undefined {
    return this.#current.phase === 'active' ? undefined : this.#current.ejection;
  }

  get isTrialInFlight(): boolean {
    return this.#trialSince !== undefined;
  }

  /** A call that begins now may be the trial call. */
  takesTrial(now: number): boolean {
    return this.#current.phase === 'half-open' && now - (this.#trialSince ?? -Infinity) >= TRIAL_MS;
  }

  get #trialSince(): number | undefined {
    return this.#current.phase === 'half-open' ? this.#current.trialSince : undefined;
  }

  /** Recent ejections: each one lasts longer than the previous, and good behaviour reduces the count. */
  get count(): number {
    return this.#count;
  }

  incrementCount(now: number): void {
    this.#count++;
    this.#countChangedAt = now;
  }

  /** One less for each interval without an ejection. */
  decayCount(now: number, intervalMs: number): void {
    if (this.#count === 0 || !this.isActive || now - this.#countChangedAt < intervalMs) return;
    this.#count--;
    this.#countChangedAt = now;
  }

  eject(ejection: Ejection): void {
    this.#current = { phase: 'ejected', ejection };
  }

  /** Ends the waiting time of an ejection; the target is not active yet. */
  expire(now: number): void {
    if (this.#current.phase === 'active') return;
    this.#current = { ...this.#current, ejection: { ...this.#current.ejection, until: now } };
  }

  halfOpen(): void {
    if (this.#current.phase === 'ejected')
      this.#current = { phase: 'half-open', ejection: this.#current.ejection, trialSince: undefined };
  }

  beginTrial(now: number): void {
    if (this.#current.phase === 'half-open') this.#current = { ...this.#current, trialSince: now };
  }

  endTrial(): void {
    if (this.#current.phase === 'half-open') this.#current = { ...this.#current, trialSince: undefined };
  }

  activate(): void {
    this.#current = ACTIVE;
  }
}
