import type { Observable } from 'rxjs';

/**
 * What an attempt came to. `occupied`: others hold it. `delayed`: Consul's lock-delay, whose end no watch sees. `raced`: another
 * writer was faster, and it may be free. `session-lost`: another session is needed.
 */
export type Attempt =
  | { readonly outcome: 'acquired'; readonly fence: number }
  | { readonly outcome: 'occupied' | 'delayed' | 'raced' | 'session-lost' };

/** What is contended for in Consul: a lock, or a permit of a semaphore. */
export interface Contest<State = unknown> {
  readonly kind: 'lock' | 'semaphore';
  /** The key of the lock, or the prefix of the semaphore; for messages too. */
  readonly key: string;
  /** What happens to the key of a session when it ends. */
  readonly behavior: 'release' | 'delete';
  /** How many of it this process can hold at the same time. */
  readonly localLimit: number;
  /** The key that a session holds in Consul while it holds this. */
  lockKey(session: string): string;
  /** @throws DiscoveryError `RK_LOCK_CONFLICT` when the key is something else */
  read(signal: AbortSignal): Promise<State>;
  /** The present state, and each later one. */
  watch(): Observable<State>;
  /** Whether an attempt may succeed. */
  isFree(state: State): boolean;
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
}
