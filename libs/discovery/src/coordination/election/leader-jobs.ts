import { Logger } from '@nestjs/common';
import type { DiscoveryService as ProviderScanner } from '@nestjs/core';
import { isRetryable } from '../../errors/discovery-error.js';
import { errorMessage } from '../../errors/error-message.js';
import type { DiscoveryEvent } from '../../events/discovery-event.js';
import { backoffDelay } from '../../timing/backoff.js';
import { delay, type Clock, type Random } from '../../timing/clock.js';
import { filter, firstValueFrom, fromEvent, merge, take, timer } from 'rxjs';
import type { Lock } from '../contention/lock.js';
import type { CoordinationStore } from '../coordination-store.js';
import { describeHolder, type LockHolder } from '../lock/lock-holder.js';
import { scheduleOf, type CronOptions } from '../schedule/cron-schedule.js';
import { nominalTick, ticksBetween, type NextTick, type Tick } from '../schedule/nominal-tick.js';
import { TickClaim, type TickRecord } from '../schedule/tick-claim.js';
import type { LeaderElection } from './leader-election.js';

export interface LeaderJobsEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: CoordinationStore;
  readonly providers: ProviderScanner;
  readonly holder: () => LockHolder;
  readonly emit: (event: DiscoveryEvent) => void;
}

export interface LeaderJob {
  /** `Class.method`. */
  readonly name: string;
  readonly election: LeaderElection;
  /** Of its `@Cron`; undefined: it has none, and runs whenever it is called while this process leads. */
  readonly cron: CronOptions | undefined;
}

/** What became of the calls of one job in this process. */
export interface JobReport {
  readonly job: string;
  readonly ran: number;
  /** Another process leads, or none; or another process has run the tick. */
  readonly skipped: number;
  /** Ticks that no process ran, as far as this one has counted them, and why. */
  readonly missed: number;
  readonly missedBecause: string | undefined;
}

interface TickAttempt {
  readonly tick: Tick;
  readonly next: NextTick | undefined;
  readonly claim: TickClaim;
  /** By the clock: it is not run later. */
  readonly until: number;
}

type TickOutcome<T> =
  | { readonly type: 'ran'; readonly result: T }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly reason: string; readonly isFinal: boolean };

/** How long a tick waits for this process to be elected: a tick in the middle of a handover is run by the next leader. */
const MAX_GRACE_MS = 10_000;
/** With a delay of two seconds in between: longer than an election of the servers, and than a restart. */
const MAX_GIVE_BACKS = 30;
const BACKOFF = { base: 250, cap: 2_000 };
const SECOND_MS = 1_000;

/** Runs the methods with `@OnlyLeader`: those with `@Cron` once at most for each tick, in all processes. */
export class LeaderJobs {
  readonly #logger = new Logger('LeaderElection');
  readonly #environment: LeaderJobsEnvironment;
  readonly #closing = new AbortController();
  readonly #reports = new Map<string, JobReport>();
  readonly #schedules = new Map<CronOptions, NextTick>();
  /** The last tick of a job that this process ran. */
  readonly #lastTicks = new Map<string, TickRecord>();
  /** Why the last tick was not run by this process though it led. */
  readonly #failures = new Map<string, string>();

  constructor(environment: LeaderJobsEnvironment) {
    this.#environment = environment;
  }

  report(): JobReport[] {
    return [...this.#reports.values()];
  }

  close(): void {
    this.#closing.abort(new Error('the app is shutting down'));
  }

  /** @returns undefined when it is not run here */
  async run<T>(job: LeaderJob, work: () => T | PromiseLike<T>): Promise<T | undefined> {
    if (job.cron) return this.#runTick(job, job.cron, work);
    const { term } = job.election;
    this.#count(job, term ? { ran: 1 } : { skipped: 1 });
    return term && job.election.run(term, work);
  }

  async #runTick<T>(
    job: LeaderJob,
    cron: CronOptions,
    work: () => T | PromiseLike<T>,
  ): Promise<T | undefined> {
    const { clock, random, store, holder } = this.#environment;
    const next = this.#scheduleOf(cron);
    const now = Date.now();
    const tick = (next && nominalTick(now, next)) ?? wholeSecond(now);
    const record = { tick: tick.at, by: describeHolder(holder()) };
    const claim = new TickClaim(store, store.tickKey(job.election.key, job.name), record);
    const until = clock.now() + Math.min(MAX_GRACE_MS, tick.gapMs / 2);
    const { signal } = this.#closing;
    let unclaimed: string | undefined;
    for (let failures = 0; clock.now() < until && !signal.aborted;) {
      const { election } = job;
      const term = election.term ?? (await this.#elected(election, until - clock.now()));
      if (!term) break;
      // One piece of work, so that a leader that resigns waits for all of it.
      const outcome = await election.run(term, () =>
        this.#tryTick(job, term, { tick, next, claim, until }, work),
      );
      if (outcome.type === 'ran') return outcome.result;
      if (outcome.type === 'done') {
        unclaimed = undefined;
        break;
      }
      unclaimed = outcome.reason;
      this.#failures.set(job.name, outcome.reason);
      if (outcome.isFinal) break;
      await delay(clock, backoffDelay(++failures, BACKOFF, random), signal).catch(() => undefined);
    }
    this.#count(job, { skipped: 1 });
    if (claim.isDoubtful) void this.#giveBack(claim);
    if (unclaimed !== undefined)
      this.#logger.warn(`${job.name}: this process does not run the tick of ${iso(tick.at)}: ${unclaimed}`);
    return undefined;
  }

  async #tryTick<T>(
    job: LeaderJob,
    term: Lock,
    { tick, next, claim, until }: TickAttempt,
    work: () => T | PromiseLike<T>,
  ): Promise<TickOutcome<T>> {
    try {
      if (!(await claim.try(term))) return { type: 'done' };
      const isLate = this.#environment.clock.now() > until;
      if (!term.isHeld || isLate) {
        // Still before the next leader: that one runs it.
        await claim.giveBack();
        const reason = isLate
          ? `${this.#environment.store.name} took too long to answer`
          : 'this process leads no more';
        return { type: 'failed', reason, isFinal: isLate };
      }
    } catch (error) {
      return { type: 'failed', reason: errorMessage(error), isFinal: !isRetryable(error) && term.isHeld };
    }
    // A registry that came back empty knows of none.
    const previous = claim.previous ?? this.#lastTicks.get(job.name);
    if (previous && next) this.#countMissed(job, term, previous, ticksBetween(previous.tick, tick.at, next));
    this.#lastTicks.set(job.name, claim.record);
    this.#failures.delete(job.name);
    this.#count(job, { ran: 1 });
    return { type: 'ran', result: await work() };
  }

  /** A tick that is claimed and not run would not be counted. Never rejects. */
  async #giveBack(claim: TickClaim): Promise<void> {
    const { clock, random } = this.#environment;
    const { signal } = this.#closing;
    for (let failures = 1; failures <= MAX_GIVE_BACKS && !signal.aborted; failures++) {
      await claim.giveBack().catch(() => undefined);
      if (!claim.isDoubtful) return;
      await delay(clock, backoffDelay(failures, BACKOFF, random), signal).catch(() => undefined);
    }
  }

  #countMissed(job: LeaderJob, term: Lock, previous: TickRecord, ticks: number): void {
    if (ticks === 0) return;
    const ledSince = Date.now() - term.heldMs;
    const failure = this.#failures.get(job.name);
    const reason =
      ledSince > previous.tick
        ? `no process led between ${iso(previous.tick)} (run by ${previous.by}) and ${iso(ledSince)}`
        : (failure ?? 'the timers of this process were late, or it was paused');
    this.#count(job, { missed: ticks, missedBecause: reason });
    this.#environment.emit({ type: 'schedule.missed', key: job.election.key, job: job.name, ticks, reason });
  }

  /** Undefined when this process is not elected in time. */
  async #elected(election: LeaderElection, withinMs: number): Promise<Lock | undefined> {
    const elected = election.term$.pipe(filter((term) => term?.isHeld === true));
    const gaveUp = merge(timer(withinMs), fromEvent(this.#closing.signal, 'abort'));
    const first = merge(elected, gaveUp.pipe(take(1)));
    await firstValueFrom(first, { defaultValue: undefined });
    return election.term;
  }

  #scheduleOf(cron: CronOptions): NextTick | undefined {
    const found = this.#schedules.get(cron) ?? scheduleOf(cron, this.#environment.providers);
    if (found) this.#schedules.set(cron, found);
    return found;
  }

  #count({ name }: LeaderJob, change: Partial<JobReport>): void {
    const before = this.#reports.get(name);
    this.#reports.set(name, {
      job: name,
      ran: (before?.ran ?? 0) + (change.ran ?? 0),
      skipped: (before?.skipped ?? 0) + (change.skipped ?? 0),
      missed: (before?.missed ?? 0) + (change.missed ?? 0),
      missedBecause: change.missedBecause ?? before?.missedBecause,
    });
  }
}

/** A schedule that is not known, as that of a single date: ticks are at whole seconds. */
function wholeSecond(now: number): Tick {
  return { at: Math.round(now / SECOND_MS) * SECOND_MS, gapMs: 2 * SECOND_MS };
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
