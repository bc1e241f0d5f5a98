import { type Duration, toMilliseconds } from '../../configuration/duration.js';
import { DiscoveryError, shutDownError } from '../../errors/discovery-error.js';
import type { DiscoveryEvent } from '../../events/discovery-event.js';
import { MAX_TIMER_MS, type Clock, type Random } from '../../timing/clock.js';
import { withTimeout } from '../../timing/with-timeout.js';
import { Logger } from '@nestjs/common';
import { BackgroundWork } from './background-work.js';
import { Contention, type ContentionEnvironment } from './contention.js';
import type { Contest } from './contest.js';
import { isUnder, runUnder } from './current-lock.js';
import type { Lock } from './lock.js';

export interface LockAcquireOptions {
  /** How long to wait for it; `Infinity` for ever. Default: `'1m'`, longer than the lease of a holder that died. */
  waitFor?: Duration;
  /** Warn when it is held for longer; `Infinity`: never. Default: `locks.warnAfter` of the module. */
  warnAfter?: Duration;
  /** Ends the wait. */
  signal?: AbortSignal;
}

export interface LockTableOptions {
  /** Of a lock that is held for longer it warns; undefined: never. */
  readonly warnAfterMs: number | undefined;
  readonly shutdownTimeoutMs: number;
}

export interface LockTableEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  /** What the sessions are called, for operators. */
  readonly owner: () => string;
  readonly emit: (event: DiscoveryEvent) => void;
  /** Called once: an app without locks shows nothing of them. */
  readonly onFirstUse: () => void;
}

const DEFAULT_WAIT_MS = 60_000;
/** For what the registry has not heard yet: releases, and the ends of sessions. */
const BACKGROUND_TIMEOUT_MS = 3_000;

/** Everything that this process holds and waits for, until the app ends. */
export class LockTable {
  readonly #logger = new Logger('LockService');
  readonly #options: LockTableOptions;
  readonly #environment: LockTableEnvironment;
  readonly #background = new BackgroundWork();
  readonly #work = new BackgroundWork();
  readonly #contentions = new Map<string, Contention>();
  readonly #contention: ContentionEnvironment;
  #isClosed = false;
  #isUsed = false;

  constructor(options: LockTableOptions, environment: LockTableEnvironment) {
    this.#options = options;
    this.#environment = environment;
    const { clock, random, owner, emit } = environment;
    this.#contention = {
      clock,
      random,
      background: this.#background,
      owner,
      emit,
      warn: (message) => this.#logger.warn(message),
    };
  }

  /** What is held or waited for. */
  get contentions(): readonly Contention[] {
    return [...this.#contentions.values()].filter(({ isIdle }) => !isIdle);
  }

  find(key: string): Contention | undefined {
    return this.contentions.find(({ contest }) => contest.key === key);
  }

  /** Runs work under a lock that is held, and releases it. */
  async run<T>(lock: Lock, work: (lock: Lock) => T | PromiseLike<T>): Promise<T> {
    const running = runUnder(lock, async () => {
      // It may be lost already, or the app is closed.
      lock.assertHeld();
      return work(lock);
    });
    this.track(running);
    let result: T;
    try {
      result = await running;
      lock.assertHeld();
    } finally {
      await lock.release();
    }
    if (!lock.isLost) return result;
    throw new DiscoveryError('RK_LOCK_LOST', `${lock.key} was lost before its work had ended`, {
      hint: 'The work is done, but it may not have been alone',
    });
  }

  /** Work under a lock, which the end of the app waits for. */
  track(work: Promise<unknown>): void {
    this.#work.add(
      work.then(
        () => undefined,
        () => undefined,
      ),
    );
  }

  /** @returns undefined when it is not free */
  async tryAcquire(
    contest: Contest,
    { warnAfter, signal }: Omit<LockAcquireOptions, 'waitFor'>,
  ): Promise<Lock | undefined> {
    const warnAfterMs = this.#warnAfterMs(warnAfter);
    return this.#contentionOf(contest).tryAcquire({ warnAfterMs, signal });
  }

  async acquire(contest: Contest, options: LockAcquireOptions): Promise<Lock> {
    const { waitFor = DEFAULT_WAIT_MS, warnAfter, signal } = options;
    const waitForMs = waitFor === Infinity ? Infinity : durationOf(waitFor, 'waitFor');
    if (isUnder(contest)) {
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `${contest.key} is held by the code that wants it`, {
        hint: 'A lock is not reentrant: it would wait for itself. currentLock() is the one that it has',
      });
    }
    const warnAfterMs = this.#warnAfterMs(warnAfter);
    return this.#contentionOf(contest).acquire({ waitForMs, warnAfterMs, signal });
  }

  /** Aborts the signals, waits for the work, releases everything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const contention of this.contentions) contention.close(shutDownError());
    await this.releaseAll(new DiscoveryError('RK_SHUT_DOWN', 'the app is shutting down'));
    await this.#within(BACKGROUND_TIMEOUT_MS, this.#background);
  }

  /** Aborts the signals of what is held, waits for the work, and releases it. Bounded, and never rejects. */
  async releaseAll(reason: DiscoveryError): Promise<void> {
    const held = this.contentions.flatMap((contention) => contention.held);
    for (const lock of held) lock.abort(reason);
    const { shutdownTimeoutMs } = this.#options;
    if (!(await this.#within(shutdownTimeoutMs, this.#work)))
      this.#logger.warn(
        `work under ${held.map(({ key }) => key).join(', ') || 'a lock'} did not end ${shutdownTimeoutMs} ms after its signal aborted: it is released, and another process may begin`,
      );
    // With a registry that says nothing each takes seconds, and many wait for each other; they go on in the background.
    const released = Promise.all(held.map((lock) => lock.release()));
    const { clock } = this.#environment;
    await withTimeout(clock, BACKGROUND_TIMEOUT_MS, released, () => new Error('too late')).catch(
      () => undefined,
    );
  }

  #warnAfterMs(warnAfter: Duration | undefined): number | undefined {
    if (warnAfter === Infinity) return undefined;
    return warnAfter === undefined ? this.#options.warnAfterMs : durationOf(warnAfter, 'warnAfter');
  }

  #contentionOf(contest: Contest): Contention {
    if (this.#isClosed) throw shutDownError();
    if (!this.#isUsed) this.#environment.onFirstUse();
    this.#isUsed = true;
    const id = `${contest.kind} ${contest.localLimit} ${contest.key}`;
    let contention = this.#contentions.get(id);
    if (!contention) {
      // Locks of single orders or users: what is over is forgotten.
      for (const [each, { isIdle }] of this.#contentions) if (isIdle) this.#contentions.delete(each);
      this.#contentions.set(id, (contention = new Contention(contest, this.#contention)));
    }
    return contention;
  }

  /** @returns false when it did not end in time */
  async #within(milliseconds: number, work: BackgroundWork): Promise<boolean> {
    const { clock } = this.#environment;
    return withTimeout(clock, milliseconds, work.settled(), () => new Error('it did not end in time')).then(
      () => true,
      () => false,
    );
  }
}

/** An option of a call, which no schema has seen. */
export function durationOf(value: Duration, field: string): number {
  if (typeof value === 'string' || (typeof value === 'number' && value >= 0))
    return Math.min(toMilliseconds(value, field), MAX_TIMER_MS);
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `${field}: ${String(value)} is not a duration`, {
    hint: "Use milliseconds, '10s' or Infinity",
  });
}
