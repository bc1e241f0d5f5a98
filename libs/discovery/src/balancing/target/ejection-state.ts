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
  | { readonly phase: 'half-open'; readonly ejection: Ejection; readonly isTrialInFlight: boolean };

const ACTIVE: EjectionPhase = { phase: 'active' };

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
    return this.#current.phase === 'half-open' && this.#current.isTrialInFlight;
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
      this.#current = { phase: 'half-open', ejection: this.#current.ejection, isTrialInFlight: false };
  }

  beginTrial(): void {
    if (this.#current.phase === 'half-open') this.#current = { ...this.#current, isTrialInFlight: true };
  }

  endTrial(): void {
    if (this.#current.phase === 'half-open') this.#current = { ...this.#current, isTrialInFlight: false };
  }

  activate(): void {
    this.#current = ACTIVE;
  }
}
