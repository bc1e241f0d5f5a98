import { DiscoveryError, isRetryable } from '../../errors/discovery-error.js';
import { errorMessage } from '../../errors/error-message.js';
import type { DiscoveryEvent } from '../../events/discovery-event.js';
import { backoffDelay } from '../../timing/backoff.js';
import { abortReason, delay, type Clock, type Random } from '../../timing/clock.js';
import type { Lease } from '../lease/lease.js';
import type { BackgroundWork } from './background-work.js';
import { Contender, RACE_MS, RETRY_MS } from './contender.js';
import type { Attempt, Contest } from './contest.js';
import { Lock } from './lock.js';

export interface ContentionEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly background: BackgroundWork;
  /** Of the sessions of this process, for operators. */
  readonly owner: () => string;
  readonly emit: (event: DiscoveryEvent) => void;
  readonly warn: (message: string) => void;
}

export interface AcquireOptions {
  /** In milliseconds; may be infinite. */
  readonly waitForMs: number;
  readonly warnAfterMs: number | undefined;
  readonly signal: AbortSignal | undefined;
}

interface Waiter {
  readonly since: number;
  readonly warnAfterMs: number | undefined;
  /** It cannot leave any more. */
  end(): void;
  grant(lock: Lock): void;
  fail(error: Error): void;
}

const RELEASE_TIMEOUT_MS = 2_000;
/** Of one `tryAcquire`. */
const MAX_RACES = 10;

/**
 * All that this process does about one lock: what it holds, and what waits for it. Waiting is a queue in this process, whose head alone
 * contends with other processes, with one watch and at most one session, however many wait behind it.
 */
export class Contention<State = unknown> {
  readonly contest: Contest<State>;
  readonly #environment: ContentionEnvironment;
  readonly #waiters: Waiter[] = [];
  readonly #held = new Set<Lock>();
  #contending: AbortController | undefined;
  #localRelease: () => void = () => undefined;
  #lastError: unknown;
  /** The last attempt was during a lock-delay. */
  #isDelayed = false;
  /** Calls of `tryAcquire` that have not ended. */
  #tries = 0;
  #closedBy: Error | undefined;

  constructor(contest: Contest<State>, environment: ContentionEnvironment) {
    this.contest = contest;
    this.#environment = environment;
  }

  get waiters(): number {
    return this.#waiters.length;
  }

  get held(): readonly Lock[] {
    return [...this.#held];
  }

  get isIdle(): boolean {
    return this.#waiters.length === 0 && this.#held.size === 0 && this.#tries === 0;
  }

  /** @returns undefined when it is not free */
  async tryAcquire(options: Omit<AcquireOptions, 'waitForMs'>): Promise<Lock | undefined> {
    const trying = this.#tryAcquire(options);
    this.#tries++;
    const settled = (): void => {
      this.#tries--;
    };
    this.#environment.background.add(trying.then(settled, settled));
    return trying;
  }

  /** @throws DiscoveryError `RK_LOCK_TIMEOUT`, or why the registry refuses it; the reason of the signal */
  acquire({ waitForMs, warnAfterMs, signal }: AcquireOptions): Promise<Lock> {
    const { clock } = this.#environment;
    return new Promise((resolve, reject) => {
      const end = (): void => {
        cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const leave = (reason: Error): void => {
        end();
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        if (this.#waiters.length === 0) this.#contending?.abort(reason);
        reject(reason);
      };
      const onAbort = (): void => {
        if (signal) leave(abortReason(signal));
      };
      const cancel = Number.isFinite(waitForMs)
        ? clock.after(waitForMs, () => leave(this.#timeout(waitForMs)))
        : () => undefined;
      const waiter: Waiter = {
        since: clock.now(),
        warnAfterMs,
        end,
        grant: resolve,
        fail: (error) => {
          end();
          reject(error);
        },
      };
      this.#waiters.push(waiter);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
      this.#start();
    });
  }

  /** Nothing is acquired any more, and every waiter is rejected; what is held stays held. */
  close(error: Error): void {
    this.#closedBy = error;
    this.#failWaiters(error);
  }

  #failWaiters(error: Error): void {
    for (const waiter of this.#waiters.splice(0)) waiter.fail(error);
    this.#contending?.abort(error);
  }

  async #tryAcquire({
    warnAfterMs,
    signal = new AbortController().signal,
  }: Omit<AcquireOptions, 'waitForMs'>): Promise<Lock | undefined> {
    const { clock, random } = this.#environment;
    const since = clock.now();
    for (let tries = 1; !this.#checkTaken(); tries++) {
      const state = await this.contest.read(signal);
      if (!this.contest.isFree(state)) return undefined;
      const lease = await this.#open();
      let attempt: Attempt;
      try {
        attempt = await this.contest.attempt(lease.id, state);
      } catch (error) {
        await this.#discard(lease);
        throw error;
      }
      if (attempt.outcome === 'acquired' && !this.#checkTaken() && lease.isAlive && !signal.aborted)
        return this.#grant(lease, attempt.fence, { since, warnAfterMs });
      await this.#discard(lease);
      if (this.#closedBy) throw this.#closedBy;
      if (signal.aborted) throw abortReason(signal);
      // Another one was faster, but there may be more than one permit.
      const isRepeated = attempt.outcome === 'raced' || attempt.outcome === 'session-lost';
      if (!isRepeated || tries >= MAX_RACES) return undefined;
      await delay(clock, backoffDelay(tries, RACE_MS, random), signal);
    }
    return undefined;
  }

  /** This process cannot have another one now. */
  #checkTaken(): boolean {
    return (
      this.#closedBy !== undefined || this.#waiters.length > 0 || this.#held.size >= this.contest.localLimit
    );
  }

  #start(): void {
    if (this.#contending || this.#waiters.length === 0) return;
    const contending = new AbortController();
    this.#contending = contending;
    const contender = new Contender(
      this.contest,
      {
        isWaiting: () => this.#waiters.length > 0,
        isFull: () => this.#held.size >= this.contest.localLimit,
        untilRelease: (signal) => this.#untilLocalRelease(signal),
        open: () => this.#open(),
        grant: (lease, fence) => this.#grantNext(lease, fence),
        abandon: (lease) => this.#abandon(lease),
        onOutcome: (error) => this.#onOutcome(error),
        onDelayed: () => {
          this.#isDelayed = true;
        },
      },
      this.#environment,
    );
    const ended = contender
      .run(contending.signal)
      // Such as a token without permission: for every waiter alike.
      .catch((error: unknown) => this.#failWaiters(error as Error))
      .then(() => {
        this.#contending = undefined;
        this.#start();
      });
    this.#environment.background.add(ended);
  }

  #grantNext(lease: Lease, fence: number): void {
    const waiter = lease.isAlive ? this.#waiters.shift() : undefined;
    // A subscriber of the event may abort its signal.
    waiter?.end();
    if (waiter) waiter.grant(this.#grant(lease, fence, waiter));
    else this.#abandon(lease);
  }

  #onOutcome(error: unknown): void {
    if (error !== undefined && this.#lastError === undefined)
      this.#environment.warn(`cannot acquire ${this.contest.key}, retrying: ${errorMessage(error)}`);
    this.#lastError = error;
    this.#isDelayed = false;
  }

  #untilLocalRelease(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        signal.removeEventListener('abort', end);
        this.#localRelease = () => undefined;
        resolve();
      };
      this.#localRelease = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  /** It is not aborted: a session that is created meanwhile would stay behind. */
  #open(): Promise<Lease> {
    const { key } = this.contest;
    const onDoubt = (reason: string): void => {
      const lock = this.held.find(({ session }) => session === lease?.id);
      if (lock)
        this.#environment.emit({
          type: 'lock.doubtful',
          key,
          reason,
          remainingMs: Math.round(lock.remainingMs),
        });
    };
    const { clock, owner } = this.#environment;
    let lease: Lease | undefined;
    return this.contest
      .openLease(`${key} of ${owner()}`, { clock, onDoubt })
      .then((opened) => (lease = opened));
  }

  #grant(lease: Lease, fence: number, waiter: Pick<Waiter, 'since' | 'warnAfterMs'>): Lock {
    const { clock, emit } = this.#environment;
    const { key } = this.contest;
    const { warnAfterMs } = waiter;
    const lock = new Lock(
      { contest: this.contest, lease, fence, warnAfterMs },
      {
        clock,
        giveUp: (held) => this.#discard(held),
        onOverdue: ({ heldMs }) =>
          emit({
            type: 'lock.overdue',
            key,
            fence,
            heldMs: Math.round(heldMs),
            waiters: this.#waiters.length,
          }),
        onEnd: (ended, reason) => {
          this.#held.delete(ended);
          const heldMs = Math.round(ended.heldMs);
          if (reason === undefined) emit({ type: 'lock.released', key, fence, heldMs });
          else emit({ type: 'lock.lost', key, fence, reason, heldMs });
          this.#localRelease();
        },
      },
    );
    if (!lock.isHeld) return lock;
    this.#held.add(lock);
    emit({ type: 'lock.acquired', key, fence, waitedMs: Math.round(clock.now() - waiter.since) });
    return lock;
  }

  #abandon(lease: Lease): void {
    this.#environment.background.add(this.#discard(lease).then(() => undefined));
  }

  /**
   * Resolves after the first try to release it; further ones, and the end of the session, are in the background. An attempt whose
   * outcome is unknown may have acquired it: destroying the session alone would keep others waiting for the lock-delay.
   */
  async #discard(lease: Lease): Promise<boolean> {
    const { clock, background } = this.#environment;
    const until = clock.now() + lease.goneInMs;
    lease.stopRenewing();
    const released = await this.#tryRelease(lease);
    background.add(
      released === undefined ? this.#keepReleasing(lease, until) : lease.close(RELEASE_TIMEOUT_MS),
    );
    return released ?? true;
  }

  /** Until the registry has expired the session by itself. */
  async #keepReleasing(lease: Lease, until: number): Promise<void> {
    const { clock, random } = this.#environment;
    const signal = new AbortController().signal;
    for (let failures = 1; clock.now() < until; failures++) {
      await delay(clock, backoffDelay(failures, RETRY_MS, random), signal);
      if ((await this.#tryRelease(lease)) !== undefined) break;
    }
    await lease.close(RELEASE_TIMEOUT_MS);
  }

  /** @returns whether it was held; undefined: it has to be repeated */
  async #tryRelease(lease: Lease): Promise<boolean | undefined> {
    return this.contest
      .release(lease.id, RELEASE_TIMEOUT_MS)
      .catch((error: unknown) => (isRetryable(error) ? undefined : true));
  }

  #timeout(waitForMs: number): DiscoveryError {
    const { key, kind } = this.contest;
    if (this.#lastError !== undefined) {
      const reason = errorMessage(this.#lastError);
      const message = `${key} could not be acquired within ${waitForMs} ms: ${reason}`;
      return new DiscoveryError('RK_LOCK_TIMEOUT', message, { cause: this.#lastError });
    }
    const delayed = `Its holder was lost: ${this.contest.store} keeps it from everyone for the lock-delay`;
    const held = `LockService.explain(${JSON.stringify(key)}) tells which process holds it`;
    return new DiscoveryError('RK_LOCK_TIMEOUT', `${key} was not free within ${waitForMs} ms`, {
      ...(this.#isDelayed ? { hint: delayed } : kind === 'lock' ? { hint: held } : {}),
    });
  }
}
