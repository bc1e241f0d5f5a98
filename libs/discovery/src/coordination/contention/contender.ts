import { isRetryable } from '../../errors/discovery-error.js';
import { backoffDelay } from '../../timing/backoff.js';
import { delay, isAborted, type Clock, type Random } from '../../timing/clock.js';
import type { Lease } from '../lease/lease.js';
import type { Attempt, Contest } from './contest.js';
import { StateView } from './state-view.js';

/** The waiters of this process, for which one contends. */
export interface ContenderQueue {
  readonly isWaiting: () => boolean;
  /** This process holds as many as it can. */
  readonly isFull: () => boolean;
  readonly untilRelease: (signal: AbortSignal) => Promise<void>;
  readonly open: () => Promise<Lease>;
  /** Gives it to the first of the waiters, or up. */
  readonly grant: (lease: Lease, fence: number) => void;
  readonly abandon: (lease: Lease) => void;
  /** Why it could not be tried; undefined: it could. */
  readonly onOutcome: (error: unknown) => void;
  /** It is free, but the registry keeps it from everyone for a while. */
  readonly onDelayed: () => void;
}

/** The registry did not respond. */
export const RETRY_MS = { base: 500, cap: 5_000 };
/**
 * Doubled with every attempt at which another was faster. The cap is low: what is lost by chance makes a process slower, so that it loses more,
 * and most of what many processes ask follows a change that their watches saw, which no back-off makes rarer.
 */
export const RACE_MS = { base: 50, cap: 200 };
/** Lets every process have a chance at what was just released, also those that hear of it later than the one that released it. */
const LOTTERY_MS = 25;
/** No watch sees the end of a lock-delay. */
const DELAYED_MS = { min: 500, max: 1_000 };
/** The watch finds out when it is free; in case it does not. */
const LOOK_AGAIN_MS = 15_000;

/** Contends with other processes, for all waiters of this one: with one watch, and at most one session. */
export class Contender<State> {
  readonly #contest: Contest<State>;
  readonly #queue: ContenderQueue;
  readonly #timing: { readonly clock: Clock; readonly random: Random };

  constructor(
    contest: Contest<State>,
    queue: ContenderQueue,
    timing: { readonly clock: Clock; readonly random: Random },
  ) {
    this.#contest = contest;
    this.#queue = queue;
    this.#timing = timing;
  }

  /** Until nothing waits any more, or the signal aborts. @throws DiscoveryError when the registry refuses it for good */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#timing;
    const contest = this.#contest;
    const queue = this.#queue;
    const view = new StateView(contest, clock);
    const pause = (milliseconds: number): Promise<void> =>
      delay(clock, milliseconds, signal).catch(() => undefined);
    let lease: Lease | undefined;
    let failures = 0;
    let races = 0;
    const giveUpSession = (): void => {
      if (lease) queue.abandon(lease);
      lease = undefined;
    };
    try {
      while (queue.isWaiting() && !signal.aborted) {
        if (queue.isFull()) {
          await queue.untilRelease(signal);
          await pause(LOTTERY_MS * random());
          continue;
        }
        try {
          if (lease && !lease.isAlive) giveUpSession();
          const state = await contest.read(signal);
          if (lease && contest.holds(state, lease.id)) {
            // By an attempt whose response was lost.
            queue.grant(lease, contest.fenceOf(state, lease.id));
            lease = undefined;
            continue;
          }
          if (!isWorthATry(contest, state, lease)) {
            failures = 0;
            queue.onOutcome(undefined);
            races = await this.#afterFailedAttempt(
              { outcome: 'occupied' },
              races,
              view,
              lease,
              signal,
              pause,
            );
            continue;
          }
          lease ??= await queue.open();
          const attempt = await contest.attempt(lease.id, state);
          if (attempt.outcome === 'session-lost') {
            giveUpSession();
            // The first time it has expired; a registry that knows none of its sessions is not asked for more and more.
            if (++failures > 1) await pause(backoffDelay(failures, RETRY_MS, random));
            continue;
          }
          failures = 0;
          queue.onOutcome(undefined);
          if (attempt.outcome === 'delayed') queue.onDelayed();
          if (attempt.outcome === 'acquired') {
            queue.grant(lease, attempt.fence);
            lease = undefined;
            races = 0;
          } else races = await this.#afterFailedAttempt(attempt, races, view, lease, signal, pause);
        } catch (error) {
          if (isAborted(signal)) return;
          if (!isRetryable(error)) throw error;
          queue.onOutcome(error);
          await pause(backoffDelay(++failures, RETRY_MS, random));
        }
      }
    } finally {
      view.close();
      giveUpSession();
    }
  }

  /** @returns how many attempts in a row were raced, or found it occupied though the watch says that it is free */
  async #afterFailedAttempt(
    { outcome }: Attempt,
    races: number,
    view: StateView<State>,
    lease: Lease | undefined,
    signal: AbortSignal,
    pause: (milliseconds: number) => Promise<void>,
  ): Promise<number> {
    const { random } = this.#timing;
    // What the watch has may be older than the attempt.
    if (outcome === 'raced' || (outcome === 'occupied' && view.isFree)) {
      await pause(backoffDelay(races + 1, RACE_MS, random));
      return races + 1;
    }
    if (outcome === 'delayed') await pause(DELAYED_MS.min + (DELAYED_MS.max - DELAYED_MS.min) * random());
    else await this.#untilFree(view, lease, signal, pause);
    return 0;
  }

  async #untilFree(
    view: StateView<State>,
    lease: Lease | undefined,
    signal: AbortSignal,
    pause: (milliseconds: number) => Promise<void>,
  ): Promise<void> {
    const { random } = this.#timing;
    const hasLine = this.#contest.isInLine !== undefined;
    // The place in line is gone with the lease.
    const ends = lease && hasLine ? AbortSignal.any([signal, lease.lost]) : signal;
    await view.untilFree(lease?.id, LOOK_AGAIN_MS * (1 + random()), ends);
    if (!hasLine) await pause(LOTTERY_MS * random());
  }
}

/** Where waiters stand in line, each takes its place once. */
function isWorthATry<State>(contest: Contest<State>, state: State, lease: Lease | undefined): boolean {
  if (contest.isFree(state)) return true;
  return contest.isInLine !== undefined && !(lease && contest.isInLine(state, lease.id));
}
