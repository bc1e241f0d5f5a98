import { Logger } from '@nestjs/common';
import { DiscoveryError, isRetryable } from '../../errors/discovery-error.js';
import { errorMessage } from '../../errors/error-message.js';
import type { DiscoveryEvent } from '../../events/discovery-event.js';
import { IsolatedObservable } from '../../events/isolated-observable.js';
import { backoffDelay } from '../../timing/backoff.js';
import { delay, isAborted, type Clock, type Random } from '../../timing/clock.js';
import { withTimeout } from '../../timing/with-timeout.js';
import { BehaviorSubject, distinctUntilChanged, map, type Observable, type Subscription } from 'rxjs';
import { BackgroundWork } from '../contention/background-work.js';
import { runUnder } from '../contention/current-lock.js';
import type { LockContest } from '../contention/contest.js';
import type { LockTable } from '../contention/lock-table.js';
import type { Lock } from '../contention/lock.js';
import { describeHolder, parseHolder, type LockHolder } from '../lock/lock-holder.js';

export interface LeaderElectionEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly table: LockTable;
  readonly emit: (event: DiscoveryEvent) => void;
  /** How long a leader that resigns waits for work that runs under it. */
  readonly shutdownTimeoutMs: number;
}

/** For a token without permission, or a key that is something else: an operator has to act. */
const REFUSED_BACKOFF = { base: 5_000, cap: 60_000 };
/** One that has resigned lets others go first. */
const STAND_BACK_MS = 2_000;

/**
 * One of all processes that take part leads: the one that holds the lock of the key. `LeaderElections.of(key)` takes part.
 *
 * @example
 * ```ts
 * const election = elections.of('leaders/reports');
 * election.isLeader;                                          // by the clock, at this moment
 * election.leader$.subscribe((leader) => show(leader?.id));   // the process that leads, in every process
 * await election.resign();                                    // and another one leads
 * ```
 */
export class LeaderElection {
  readonly key: string;
  readonly #logger = new Logger('LeaderElection');
  readonly #contest: LockContest;
  readonly #environment: LeaderElectionEnvironment;
  readonly #term = new BehaviorSubject<Lock | undefined>(undefined);
  readonly #ending = new AbortController();
  #work = new BackgroundWork();
  #resigning: Promise<void> | undefined;
  #leader: LockHolder | undefined;
  #leaderSubscription: Subscription | undefined;
  #campaign: Promise<void> | undefined;

  /** @internal */
  constructor(contest: LockContest, environment: LeaderElectionEnvironment) {
    this.key = contest.key;
    this.#contest = contest;
    this.#environment = environment;
  }

  /** Whether this process leads: by the clock, so also right after a pause of the process. */
  get isLeader(): boolean {
    return this.term !== undefined;
  }

  /** While this process leads: its lock, with `signal`, `fence` and `guardedWrite`. */
  get term(): Lock | undefined {
    const term = this.#term.value;
    return term?.isHeld === true ? term : undefined;
  }

  /** The lock while this process leads, and undefined while it does not: at present, and each change. */
  get term$(): Observable<Lock | undefined> {
    return this.#isolated('term$', this.#term);
  }

  /** The process that leads, as the registry had it last; undefined: none, or not known yet. */
  get leader(): LockHolder | undefined {
    return this.#leader;
  }

  /** The process that leads, as the registry has it: at present, and each change; undefined while none does. */
  get leader$(): Observable<LockHolder | undefined> {
    const leaders = this.#contest.watch().pipe(
      map((state) => this.#contest.holderOf(state)),
      distinctUntilChanged(
        (before, after) =>
          before?.session === after?.session &&
          Buffer.compare(before?.value ?? new Uint8Array(), after?.value ?? new Uint8Array()) === 0,
      ),
      map((state) => state && parseHolder(state.value)),
    );
    return this.#isolated('leader$', leaders);
  }

  /** Runs work while this process leads; work that runs is waited for when it resigns. */
  async run<T>(term: Lock, work: () => T | PromiseLike<T>): Promise<T> {
    const running = runUnder(term, async () => work());
    this.#environment.table.track(running);
    this.#work.add(
      running.then(
        () => undefined,
        () => undefined,
      ),
    );
    return running;
  }

  /**
   * Hands over: `signal` of the term aborts, work under it gets `locks.shutdownTimeout` to end, and another process leads at once. This one
   * takes part again two seconds later. Nothing happens while it does not lead.
   */
  async resign(): Promise<void> {
    const { value: term } = this.#term;
    if (!term) return this.#resigning;
    this.#resigning ??= this.#resign(term).finally(() => (this.#resigning = undefined));
    await this.#resigning;
  }

  /** Resigns, and takes part no more. @internal */
  async stop(): Promise<void> {
    this.#ending.abort(new Error('it takes part no more'));
    await this.resign();
    await this.#campaign;
    this.#leaderSubscription?.unsubscribe();
    this.#term.complete();
  }

  /** Takes part. @internal */
  start(): void {
    this.#leaderSubscription ??= this.leader$.subscribe((leader) => this.#onLeader(leader));
    this.#campaign ??= this.#run(this.#ending.signal);
  }

  /** Writes again which process leads, after it was registered. @internal */
  async describe(): Promise<void> {
    const { term } = this;
    if (term) await this.#contest.describe(term.session);
  }

  #isolated<T>(name: string, values: Observable<T>): Observable<T> {
    return new IsolatedObservable(values, (error) =>
      this.#logger.error(`a subscriber of ${name} threw: ${errorMessage(error)}`),
    );
  }

  #onLeader(leader: LockHolder | undefined): void {
    const before = this.#leader && describeHolder(this.#leader);
    this.#leader = leader;
    // It tells of itself, and is described again once it is registered.
    if (this.isLeader) return;
    const now = leader && describeHolder(leader);
    if (now !== before) this.#logger.log(`${this.key}: ${now ?? 'no process'} leads`);
  }

  async #resign(term: Lock): Promise<void> {
    const { clock, shutdownTimeoutMs } = this.#environment;
    term.abort(new DiscoveryError('RK_LOCK_LOST', `${this.key}: this process has resigned`));
    const late = (): Error => new Error('it did not end in time');
    await withTimeout(clock, shutdownTimeoutMs, this.#work.settled(), late).catch(() =>
      this.#logger.warn(
        `${this.key}: work of the leader did not end ${shutdownTimeoutMs} ms after its signal aborted; another process may lead now`,
      ),
    );
    await term.release();
  }

  /** Never rejects. */
  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, table } = this.#environment;
    for (let failures = 0; !signal.aborted;) {
      try {
        const term = await table.acquire(this.#contest, { waitFor: Infinity, warnAfter: Infinity, signal });
        failures = 0;
        if (await this.#lead(term)) await delay(clock, STAND_BACK_MS, signal).catch(() => undefined);
      } catch (error) {
        if (isAborted(signal)) return;
        failures++;
        this.#logger.error(`cannot take part in the election ${this.key}, retrying: ${errorMessage(error)}`);
        const backoff = isRetryable(error) ? { base: 500, cap: 5_000 } : REFUSED_BACKOFF;
        await delay(clock, backoffDelay(failures, backoff, random), signal).catch(() => undefined);
      }
    }
  }

  /** @returns whether it has resigned */
  async #lead(term: Lock): Promise<boolean> {
    const { key } = this;
    const { emit } = this.#environment;
    this.#work = new BackgroundWork();
    const ended = new Promise<void>((resolve) => {
      if (term.signal.aborted) resolve();
      else term.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#term.next(term);
    emit({ type: 'leader.elected', key, fence: term.fence });
    if (this.#ending.signal.aborted) void this.resign();
    await ended;
    this.#term.next(undefined);
    const resigning = this.#resigning;
    const ledMs = Math.round(term.heldMs);
    // Also when the lock itself was released, or the app ends before anything else could resign.
    await (resigning ?? term.release());
    if (!term.isLost) {
      emit({ type: 'leader.resigned', key, ledMs });
      return true;
    }
    const reason = errorMessage(term.signal.reason);
    emit({ type: 'leader.lost', key, reason, ledMs });
    return false;
  }
}
