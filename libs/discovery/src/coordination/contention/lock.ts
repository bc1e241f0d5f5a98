import { formatDuration } from '../../configuration/duration.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { abortReason, type Clock } from '../../timing/clock.js';
import type { Subscription } from 'rxjs';
import { keyOf, type GuardedOperation, type StoredValue } from '../../kv/guarded-operation.js';
import type { Lease } from '../lease/lease.js';
import type { Contest } from './contest.js';

export interface LockEnvironment {
  readonly clock: Clock;
  /** Releases it in the registry, and ends its session; never rejects. Resolves to false when the registry had it no more. */
  readonly giveUp: (lease: Lease) => Promise<boolean>;
  /** Once, when it is released or lost. */
  readonly onEnd: (lock: Lock, lostBecause: string | undefined) => void;
  readonly onOverdue: (lock: Lock) => void;
}

export interface LockGrant {
  readonly contest: Contest;
  readonly lease: Lease;
  readonly fence: number;
  readonly warnAfterMs: number | undefined;
}

/** A lock that is held for a shorter time than this is not watched: the renewals of its session find its loss soon enough. */
const WATCH_AFTER_MS = 1_000;
const VERIFY_EVERY_MS = 1_000;

/**
 * A lock that this process holds, or a permit of a semaphore. It is a lease: `signal` aborts as soon as it may be lost, and what
 * works under it has to stop then. A process that is paused cannot; so pass `fence` to the resource, which refuses what is
 * older than it has seen.
 */
export class Lock {
  /**
   * Rises with every holder of the key. In Consul it is the `ModifyIndex` of the key when this one acquired it (`LockIndex` is no such number: a plain write
   * resets it); in etcd the create revision of the holder's key.
   */
  readonly fence: number;
  /** The key, or the prefix of a semaphore. */
  readonly key: string;
  readonly kind: 'lock' | 'semaphore';
  readonly #contest: Contest;
  readonly #lease: Lease;
  readonly #environment: LockEnvironment;
  readonly #ending = new AbortController();
  readonly #acquiredAt: number;
  readonly #cancelTimers: (() => void)[];
  #watch: Subscription | undefined;
  #isVerifying = false;
  /** It was released or lost, and that was told. */
  #isOver = false;
  #isLost = false;
  #release: Promise<void> | undefined;

  /** @internal */
  constructor({ contest, lease, fence, warnAfterMs }: LockGrant, environment: LockEnvironment) {
    this.#contest = contest;
    this.#lease = lease;
    this.#environment = environment;
    this.key = contest.key;
    this.kind = contest.kind;
    this.fence = fence;
    const { clock } = environment;
    this.#acquiredAt = clock.now();
    this.#cancelTimers = [clock.after(WATCH_AFTER_MS, () => this.#startWatch())];
    if (warnAfterMs !== undefined)
      this.#cancelTimers.push(clock.after(warnAfterMs, () => environment.onOverdue(this)));
    if (lease.lost.aborted) this.#onLost();
    else lease.lost.addEventListener('abort', this.#onLost, { once: true });
  }

  /** Aborts when the lock is released, or may be lost: at 80 % of the TTL after the last renewal that succeeded was sent, at the latest. */
  get signal(): AbortSignal {
    // A timer is late after a pause of the process: the clock decides.
    this.#lease.check();
    return this.#ending.signal;
  }

  /** By the clock: also right when the process was paused, before a timer has run. Ask it before each step that cannot be undone. */
  get isHeld(): boolean {
    return this.#check();
  }

  /** How long it has been, or was, held; in milliseconds. */
  get heldMs(): number {
    return this.#environment.clock.now() - this.#acquiredAt;
  }

  /** How long until `signal` aborts, without a further renewal; in milliseconds. */
  get remainingMs(): number {
    return this.isHeld ? this.#lease.remainingMs : 0;
  }

  /** How long until the registry can give it to another, without a further renewal; in milliseconds. */
  get expiresInMs(): number {
    return this.isHeld ? this.#lease.expiresInMs : 0;
  }

  /** The id of its session in Consul; of its lease in etcd, in hexadecimal. */
  get session(): string {
    return this.#lease.id;
  }

  /** @throws DiscoveryError `RK_LOCK_LOST` when it is released, or may be lost */
  assertHeld(): void {
    if (!this.isHeld) throw this.#lostError();
  }

  /**
   * Writes keys in the registry, only if the lock is still held there: the servers check it in the same transaction.
   *
   * @example
   * ```ts
   * await lock.guardedWrite([{ type: 'set', key: 'positions/nightly', value: String(position) }]);
   * ```
   * @returns the values of the operations that return one: all but deletions and checks
   * @throws DiscoveryError `RK_LOCK_LOST` when it is not, and nothing was written; `RK_TRANSACTION_CONFLICT`, with `failures` that count from the first
   *   of the operations, when another one fails; `RK_INVALID_ARGUMENT` for the key of the lock itself, or more than 63 operations
   */
  async guardedWrite(operations: readonly GuardedOperation[]): Promise<readonly StoredValue[]> {
    const session = this.#lease.id;
    assertNotOwnKey(operations, this.#contest.lockKey(session));
    this.assertHeld();
    const written = await this.#contest.guardedWrite(session, operations);
    if (written) return written;
    this.#lease.lose(`${this.#contest.store} has given it to another session, or its key was deleted`);
    throw this.#lostError();
  }

  /**
   * Gives it to the next one, at once. The registry may have it no more then: `withLock` rejects with that. It never rejects: where the registry does not respond, it is repeated in the background, and the
   * session expires by itself at the latest.
   */
  release(): Promise<void> {
    // It may be lost, and not know.
    this.#lease.check();
    this.#release ??= this.#releaseOnce();
    return this.#release;
  }

  /** It ended by itself, and was not released. @internal */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** What works under it should stop, before it is released. @internal */
  abort(reason: Error): void {
    this.#ending.abort(reason);
  }

  async #releaseOnce(): Promise<void> {
    this.#end(new DiscoveryError('RK_LOCK_LOST', `${this.key} was released`));
    // Also when it was lost: the registry may not know, and would keep it from everyone until the session expires.
    const wasHeld = await this.#environment.giveUp(this.#lease);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isLost = !wasHeld;
    this.#environment.onEnd(
      this,
      wasHeld
        ? undefined
        : `when it was released, ${this.#contest.store} had given it to another, or its key was deleted`,
    );
  }

  readonly #onLost = (): void => {
    const reason = abortReason(this.#lease.lost);
    const lost = new DiscoveryError('RK_LOCK_LOST', `${this.key} is lost: ${reason.message}`, {
      hint: 'What it protects must stop: another process may hold it',
    });
    this.#end(lost);
    if (this.#isOver) return;
    this.#isOver = this.#isLost = true;
    this.#environment.onEnd(this, reason.message);
  };

  #end(reason: Error): void {
    this.#ending.abort(reason);
    for (const cancel of this.#cancelTimers.splice(0)) cancel();
    this.#watch?.unsubscribe();
    this.#lease.lost.removeEventListener('abort', this.#onLost);
  }

  #lostError(): DiscoveryError {
    const { reason } = this.#ending.signal as { reason: unknown };
    return reason instanceof DiscoveryError
      ? reason
      : new DiscoveryError(
          'RK_LOCK_LOST',
          `${this.key} is no longer held after ${formatDuration(this.heldMs)}`,
        );
  }

  #check(): boolean {
    return this.#lease.check() && !this.#ending.signal.aborted;
  }

  /** Sees what no renewal does: the key was deleted, or taken from the session, which goes on. */
  #startWatch(): void {
    if (!this.#check()) return;
    this.#watch = this.#contest.watch().subscribe((state) => {
      if (!this.#contest.holds(state, this.#lease.id)) void this.#verify();
    });
    // The subscription may have called back at once.
    if (!this.#check()) this.#watch.unsubscribe();
  }

  /** What the watch has may be older than the lock. Never rejects. */
  async #verify(): Promise<void> {
    if (this.#isVerifying || !this.#check()) return;
    this.#isVerifying = true;
    try {
      const isHeld = await this.#contest.isHeldBy(this.#lease.id, this.#ending.signal);
      if (!isHeld) this.#lease.lose('its session has ended, or its key was deleted or taken');
    } catch {
      // The next look decides; without the registry, the lease.
      if (this.#check())
        this.#cancelTimers.push(this.#environment.clock.after(VERIFY_EVERY_MS, () => void this.#verify()));
    } finally {
      this.#isVerifying = false;
    }
  }
}

/** It would lose its flags, and its holder: others could not tell that it is a lock. */
function assertNotOwnKey(operations: readonly GuardedOperation[], key: string): void {
  for (const operation of operations) {
    if (operation.type === 'get' || operation.type === 'list' || operation.type.startsWith('check')) continue;
    const isOwn =
      operation.type === 'deleteTree' ? key.startsWith(operation.prefix) : keyOf(operation) === key;
    if (!isOwn) continue;
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `guardedWrite: ${key} is the key of the lock itself`, {
      hint: 'Write another key; release() ends the lock',
    });
  }
}
