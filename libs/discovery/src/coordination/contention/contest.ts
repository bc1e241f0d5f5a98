import type { Observable } from 'rxjs';
import type { GuardedOperation, StoredValue } from '../../kv/guarded-operation.js';
import type { Lease, LeaseOptions } from '../lease/lease.js';

/**
 * What an attempt came to. `occupied`: others hold it. `delayed`: Consul's lock-delay, whose end no watch sees. `raced`: another
 * writer was faster, and it may be free. `session-lost`: another session is needed.
 */
export type Attempt =
  | { readonly outcome: 'acquired'; readonly fence: number }
  | { readonly outcome: 'occupied' | 'delayed' | 'raced' | 'session-lost' };

/** What is contended for in a registry: a lock, or a permit of a semaphore. */
export interface Contest<State = unknown> {
  /** The name of the registry, for messages. */
  readonly store: string;
  readonly kind: 'lock' | 'semaphore';
  /** The key of the lock, or the prefix of the semaphore; for messages too. */
  readonly key: string;
  /** How many of it this process can hold at the same time. */
  readonly localLimit: number;
  /** The key that a session holds in the registry while it holds this. */
  lockKey(session: string): string;
  /** Opens a session with which this process contends. @param name for operators, where the registry shows one */
  openLease(name: string, options: LeaseOptions): Promise<Lease>;
  /** @throws DiscoveryError `RK_LOCK_CONFLICT` when the key is something else */
  read(signal: AbortSignal): Promise<State>;
  /** The present state, and each later one. */
  watch(): Observable<State>;
  /** Whether an attempt may succeed. */
  isFree(state: State): boolean;
  /**
   * Where waiters stand in line: whether the session has a place in it, or holds it. An attempt takes the place, and the session that has stood there longest
   * holds it next. Without it each attempt is a race.
   */
  isInLine?(state: State, session: string): boolean;
  /** Whether the session holds it, in a state. */
  holds(state: State, session: string): boolean;
  /** Whether the session holds it, as the servers know it now. */
  isHeldBy(session: string, signal: AbortSignal): Promise<boolean>;
  /** Of the session that holds it, in a state. */
  fenceOf(state: State, session: string): number;
  /** @param state what was read last: where it has changed since, the attempt is raced */
  attempt(session: string, state: State): Promise<Attempt>;
  /** Gives it up, at once. @returns false when the session did not hold it: nothing happened */
  release(session: string, timeoutMs: number): Promise<boolean>;
  /**
   * Writes all of it or nothing, and only while the session holds it.
   *
   * @returns undefined: it does not, and nothing was written
   * @throws DiscoveryError `RK_TRANSACTION_CONFLICT` when another of the operations fails
   */
  guardedWrite(
    session: string,
    operations: readonly GuardedOperation[],
  ): Promise<readonly StoredValue[] | undefined>;
}

/** How a registry knows the session of a holder. */
export interface LockSession {
  readonly id: string;
  /** The node of its agent, in Consul. */
  readonly node?: string;
  /** What it is called, in Consul. */
  readonly name?: string;
  /** Without a renewal it expires after this time; in Consul after up to twice that. */
  readonly ttl: string;
}

/** Which process holds a lock, as the registry has it. */
export interface HeldBy {
  readonly session: string;
  /** What the key has as its value. */
  readonly value: Uint8Array;
}

/** A lock, of which there is one holder. */
export interface LockContest<State = unknown> extends Contest<State> {
  /** Undefined: it is free. */
  holderOf(state: State): HeldBy | undefined;
  /** What operators see of a session; undefined: it has ended. */
  describeSession(id: string): Promise<LockSession | undefined>;
  /** Writes again which process holds it; the lock stays as it is. */
  describe(session: string): Promise<void>;
}

/** A semaphore, with as many holders as it has permits. */
export interface SemaphoreContest<State = unknown> extends Contest<State> {
  readonly limit: number;
}
