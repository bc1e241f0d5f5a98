import type { ServiceInstance } from '../../registry/service-instance.js';
import type { Target } from '../load-balancer.js';

/** How an attempt went, for statistics: `ignored` is one that says nothing of the instance, as the caller ended it. */
export type Outcome = 'success' | 'failure' | 'ignored';

const DECAY_MS = 10_000;
/** Without it who fails at once would look fast, and get the most calls (performance.md, 6). */
const FAILURE_COSTS_MS = 1_000;
const LEAST_LATENCY_MS = 0.001; // 0 is for nothing known
const RATE_STEP = 0.05;
/** A latency that no answer has come near to for so long is over, however few answers there were. */
const UNCONFIRMED_MS = 5_000;
const NEAR = 0.5;
const RECENT_STEP = 0.2;

/** Why an instance gets no calls for a while. */
export interface Ejection {
  readonly at: number;
  readonly until: number;
  readonly reason: string;
  /** It asked to be left alone: no call has to prove anything afterwards. */
  readonly wasAsked: boolean;
  /** Nobody listened there: that can be looked at without a call, so that it need not last when somebody does again. */
  readonly wasRefused: boolean;
}

/** What this app's calls have seen of an instance; kept as long as the registry lists it. */
export class TargetState implements Target {
  instance: ServiceInstance;
  weight = 1;
  inFlight = 0;
  latency = 0;
  successRate = 1;
  /** Failures since the last success. */
  consecutiveFailures = 0;
  /** Of these, the ones in which nothing could be sent. */
  consecutiveRefusals = 0;
  failingSince = 0;
  failedAt = -Infinity;
  lastSuccessAt = -Infinity;
  /** It asked for it, whether it could be ejected for that or not. */
  leaveAloneUntil = -Infinity;
  ejection: Ejection | undefined;
  /** How often it was ejected of late. */
  ejections = 0;
  /** When an ejection was last counted, or forgiven. */
  ejectionsChangedAt = 0;
  /** A call is under way that is to prove it well. */
  isProbed = false;
  isListed = true;
  /** In the present interval of the comparison of success rates. */
  calls = 0;
  failures = 0;
  #sampledAt = -Infinity;
  #hasNewSample = false;
  /** When an answer last took about as long as `latency` says. */
  #confirmedAt = -Infinity;
  /** What the last few answers took. */
  #recent = 0;
  readonly joinedAt: number;
  readonly score: number;

  constructor(instance: ServiceInstance, joinedAt: number, score: number) {
    this.instance = instance;
    this.joinedAt = joinedAt;
    this.score = score;
  }

  /** When it was last heard of. */
  get sampledAt(): number {
    return this.#sampledAt;
  }

  begin(): void {
    this.inFlight++;
  }

  end(now: number, elapsed: number, outcome: Outcome, isRefusal = false): void {
    this.inFlight--;
    if (outcome === 'ignored') {
      // It took at least as long: a hedge that was lost must not hide who lost it.
      if (elapsed > this.latency && this.latency > 0) this.latency = elapsed;
      return;
    }
    const hasFailed = outcome === 'failure';
    this.#observe(now, hasFailed ? Math.max(elapsed, FAILURE_COSTS_MS) : elapsed);
    this.calls++;
    this.successRate += ((hasFailed ? 0 : 1) - this.successRate) * RATE_STEP;
    if (!hasFailed) {
      this.consecutiveFailures = 0;
      this.consecutiveRefusals = 0;
      this.lastSuccessAt = now;
      return;
    }
    this.failures++;
    this.failedAt = now;
    if (this.consecutiveFailures++ === 0) this.failingSince = now;
    if (isRefusal) this.consecutiveRefusals++;
  }

  /** A slow answer counts at once, a fast one little by little. */
  #observe(now: number, elapsed: number): void {
    const sample = Math.max(elapsed, LEAST_LATENCY_MS);
    this.#recent = this.latency === 0 ? sample : this.#recent + (sample - this.#recent) * RECENT_STEP;
    if (sample >= this.latency * NEAR) this.#confirmedAt = now;
    if (this.latency === 0 || sample > this.latency) this.latency = sample;
    else {
      const old = Math.exp(-(now - this.#sampledAt) / DECAY_MS);
      this.latency = this.latency * old + sample * (1 - old);
    }
    this.#sampledAt = now;
    this.#hasNewSample = true;
  }

  /**
   * What was not heard of for a while is forgotten little by little, and what was true is forgotten once it is not: who was
   * slow gets few calls, whose answers would take half a minute to tell. Called once a second, not at each pick: `exp` is
   * dear.
   */
  decay(now: number, elapsed: number): void {
    if (this.latency === 0) return;
    if (!this.#hasNewSample)
      this.latency = Math.max(LEAST_LATENCY_MS, this.latency * Math.exp(-elapsed / DECAY_MS));
    else if (now - this.#confirmedAt >= UNCONFIRMED_MS) this.latency = this.#recent;
    this.#hasNewSample = false;
  }

  /** Nothing is known of it any more: it gets one call, which tells. */
  forgetLatency(): void {
    this.latency = 0;
  }

  forgetFailures(): void {
    this.consecutiveFailures = 0;
    this.consecutiveRefusals = 0;
  }
}
