import { AdaptiveLimit } from '../../calling/limits/adaptive-limit.js';
import { RefusalState } from '../../calling/limits/refusal-state.js';
import type { Clock } from '../../timing/clock.js';
import { shareOf } from './urgency.js';

export interface LoadShedderOptions {
  readonly clock: Clock;
  /** Requests at a time. */
  readonly concurrency: number | 'adaptive';
  /** Calls back at the end of this turn of the event loop. */
  readonly afterTurn: (callback: () => void) => void;
  readonly onBegin: (limit: number) => void;
  /** @param refused how many there were */
  readonly onEnd: (refused: number) => void;
}

/** What the limit aims at, above the delay that each turn has. */
const USUAL_DELAY_MS = 10;
/** Turns that are longer than this, and for so long: there is a queue that does not go away, and not just a burst (RFC 8289, 3). */
const LONG_TURN_MS = 20;
const STANDING_MS = 100;
/** A delay that was measured earlier says nothing about now. */
const RECENT_MS = 1_000;

/**
 * Decides which requests a server takes. Those that are under way are those that have not been answered, and those that were begun in the same turn of the event
 * loop: they wait for each other, even if each is answered at once.
 *
 * The limit adapts to how long a turn takes, and so to how long requests wait before anything is done for them. The response time would be misleading: it has the
 * time in it that others take, and a limit here does not make them faster.
 * While turns are short, nothing is refused, however many requests come at once.
 * Sources: H. Zhou et al., "Overload Control for Scaling WeChat Microservices", SoCC 2018, for the time in the queue as the measure; K. Nichols et
 * al., RFC 8289 (CoDel), for when it counts; `AdaptiveLimit` for the limit.
 */
export class LoadShedder {
  readonly #options: LoadShedderOptions;
  readonly #adaptive: AdaptiveLimit | undefined;
  readonly #state: RefusalState;
  #underWay = 0;
  #refused = 0;
  /** In this turn of the event loop. */
  #turnStartedAt: number | undefined;
  #most = 0;
  #answered = 0;
  #delayMs = 0;
  #measuredAt = -Infinity;
  /** When a turn was last short, or nothing came. */
  #calmAt = -Infinity;

  constructor(options: LoadShedderOptions) {
    const { clock, concurrency, onBegin, onEnd } = options;
    this.#options = options;
    this.#adaptive = concurrency === 'adaptive' ? new AdaptiveLimit(clock, USUAL_DELAY_MS) : undefined;
    this.#state = new RefusalState(clock, {
      onBegin: () => onBegin(this.limit),
      onEnd: () => {
        onEnd(this.#refused);
        this.#refused = 0;
      },
    });
  }

  get limit(): number {
    const { concurrency } = this.#options;
    return this.#adaptive?.value ?? (concurrency as number);
  }

  get underWay(): number {
    return this.#underWay;
  }

  /**
   * A request has come.
   *
   * @param timeoutMs how long its caller waits; Infinity: it does not say
   * @returns to be called when it is answered; undefined: it is to be refused
   */
  admit(urgency: number, timeoutMs: number): (() => void) | undefined {
    const now = this.#options.clock.now();
    this.#beginTurn(now);
    const isTooLate = timeoutMs <= this.#recentDelayMs(now);
    const isFull = this.#isLimited(now) && this.#underWay >= Math.max(1, this.limit * shareOf(urgency));
    if (isTooLate || isFull) {
      this.#refused++;
      this.#state.refused();
      return undefined;
    }
    this.#underWay++;
    this.#most = Math.max(this.#most, this.#underWay);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#answered++;
      this.#beginTurn(this.#options.clock.now());
    };
  }

  #isLimited(now: number): boolean {
    return !this.#adaptive || now - this.#calmAt >= STANDING_MS;
  }

  close(): void {
    this.#state.close();
  }

  /** It has waited about as long before it was seen. */
  #recentDelayMs(now: number): number {
    return now - this.#measuredAt < RECENT_MS ? this.#delayMs : 0;
  }

  #beginTurn(now: number): void {
    if (this.#turnStartedAt !== undefined) return;
    this.#turnStartedAt = now;
    if (now - this.#measuredAt >= STANDING_MS) this.#calmAt = now;
    this.#options.afterTurn(() => this.#endTurn());
  }

  #endTurn(): void {
    const now = this.#options.clock.now();
    this.#delayMs = now - (this.#turnStartedAt ?? now);
    this.#measuredAt = now;
    if (this.#delayMs < LONG_TURN_MS) this.#calmAt = now;
    this.#turnStartedAt = undefined;
    this.#adaptive?.observe(USUAL_DELAY_MS + this.#delayMs, this.#most, false);
    this.#underWay -= this.#answered;
    this.#answered = 0;
    this.#most = this.#underWay;
  }
}
