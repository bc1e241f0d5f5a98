import type { ServiceInstance } from '../../registry/service-instance.js';
import type { Target } from '../load-balancer.js';
import { CallHistory } from './call-history.js';
import { EjectionState } from './ejection-state.js';
import { PeakLatency } from './peak-latency.js';
import { ReportedLoad } from './reported-load.js';

/**
 * How an attempt counts in the statistics of its target. `server-error`: it answered, with an error of its own. `abandoned`: the
 * caller gave up before there was a response. `ignored`: the attempt says nothing about the target.
 */
export type CallOutcome = 'success' | 'failure' | 'server-error' | 'abandoned' | 'ignored';

/** The latency that a failure counts as: otherwise an instance that fails at once looks fast, and gets the most calls. */
const FAILURE_LATENCY_MS = 1_000;
/** From this one on, consecutive attempts that their callers abandoned count as failures: a single caller may be impatient. */
const ABANDONED_IS_FAILURE = 3;
/** An attempt that was abandoned earlier than this share of the usual latency says nothing. */
const MIN_ABANDONED_SHARE = 0.5;

/** What this app's calls have learned about an instance; kept for as long as the registry lists it. */
export class TrackedTarget implements Target {
  instance: ServiceInstance;
  weight = 1;
  inFlight = 0;
  /** False: the registry no longer lists it. */
  isListed = true;
  /** The instance asked for no calls until then, whether or not it could be ejected for it. */
  backOffUntil = -Infinity;
  readonly latency = new PeakLatency();
  readonly reported = new ReportedLoad();
  readonly history = new CallHistory();
  readonly ejection = new EjectionState();
  /** When it was first listed; -Infinity: it was in the first list. */
  readonly joinedAt: number;
  /** Decides whether it is in this client's subset of a large service. */
  readonly score: number;

  constructor(instance: ServiceInstance, joinedAt: number, score: number) {
    this.instance = instance;
    this.joinedAt = joinedAt;
    this.score = score;
  }

  get latencyMs(): number {
    return this.latency.valueMs;
  }

  get hasSucceeded(): boolean {
    return this.history.lastSuccessAt > -Infinity;
  }

  get successRate(): number {
    return this.history.successRate;
  }

  begin(): void {
    this.inFlight++;
  }

  /** @returns what the attempt counts as: an abandoned one may count as a failure */
  end(now: number, elapsedMs: number, outcome: CallOutcome, isRefusal = false): CallOutcome {
    this.inFlight--;
    switch (outcome) {
      case 'ignored':
        // A hedged attempt that lost must not hide how slow its target is.
        this.latency.observeAtLeast(now, elapsedMs);
        return 'ignored';
      case 'abandoned':
        return this.#abandoned(now, elapsedMs);
      case 'success':
        this.latency.observe(now, elapsedMs);
        this.history.succeeded(now);
        this.reported.succeeded();
        return 'success';
      case 'server-error':
        this.history.serverFailed();
        // By its share: a single one may be due to the request.
        this.latency.penalize(now, elapsedMs + FAILURE_LATENCY_MS * (1 - this.history.successRate));
        return 'server-error';
      case 'failure':
        this.latency.penalize(now, Math.max(elapsedMs, FAILURE_LATENCY_MS));
        this.history.failed(now, isRefusal);
        this.reported.failed();
        return 'failure';
    }
  }

  #abandoned(now: number, elapsedMs: number): CallOutcome {
    const isTelling = elapsedMs >= this.latency.valueMs * MIN_ABANDONED_SHARE;
    this.latency.observeAtLeast(now, elapsedMs);
    if (!isTelling || this.history.abandoned() < ABANDONED_IS_FAILURE) return 'abandoned';
    this.history.failed(now, false);
    return 'failure';
  }
}
