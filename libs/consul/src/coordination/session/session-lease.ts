import {
  abortReason,
  errorMessage,
  formatDuration,
  toMilliseconds,
  withScopedSignal,
  type Clock,
} from '@rookery/discovery/adapter';
import { DiscoveryError } from '@rookery/discovery';
import type { SessionApi } from '../../client/api/session.api.js';
import type { SessionDefinition } from '../../client/api/types.js';
import { heldForMs, patientTimeoutMs, renewalIntervalMs, untilNextRenewalMs } from './lease-timing.js';

export interface SessionSpec {
  /** For operators, in the list of sessions. */
  readonly name: string;
  readonly ttlMs: number;
  readonly lockDelayMs: number;
  readonly behavior: 'release' | 'delete';
  /** Ids of checks of this node: when one of them is critical, Consul invalidates the session. */
  readonly checks: readonly string[];
}

/** What a lease needs of Consul's API. */
export type SessionCalls = Pick<SessionApi, 'create' | 'renew' | 'destroy'>;

export interface SessionLeaseOptions {
  readonly clock: Clock;
  /** Called when a renewal fails for the first time since one succeeded. */
  readonly onDoubt?: (reason: string) => void;
}

/** Consul's own words, when a session was invalidated or has expired. */
const GONE = 'its session is gone: it was invalidated, or has expired';

/**
 * A session in Consul that is renewed until it is closed. It counts as held while the clock says so, by the monotonic clock of
 * this process: a lost renewal, a frozen process and a partition end it here before the server can.
 */
export class SessionLease {
  readonly id: string;
  readonly ttlMs: number;
  readonly #sessions: SessionCalls;
  readonly #options: SessionLeaseOptions;
  readonly #lost = new AbortController();
  readonly #closing = new AbortController();
  #confirmedAt: number;
  #serverTtlMs: number;
  #isDoubtful = false;
  #isPatient = false;
  #cancelRenewal: () => void = () => undefined;
  #cancelDeadline: () => void = () => undefined;

  /** @throws DiscoveryError when Consul does not create it, such as for a check that does not exist or is critical */
  static async open(
    sessions: SessionCalls,
    spec: SessionSpec,
    options: SessionLeaseOptions,
  ): Promise<SessionLease> {
    const sentAt = options.clock.now();
    const id = await sessions.create(toDefinition(spec)).catch((error: unknown) => {
      throw withSessionHint(error);
    });
    return new SessionLease(sessions, id, spec.ttlMs, sentAt, options);
  }

  private constructor(
    sessions: SessionCalls,
    id: string,
    ttlMs: number,
    confirmedAt: number,
    options: SessionLeaseOptions,
  ) {
    this.#sessions = sessions;
    this.id = id;
    this.ttlMs = ttlMs;
    this.#serverTtlMs = ttlMs;
    this.#confirmedAt = confirmedAt;
    this.#options = options;
    this.#arm();
    this.#schedule();
  }

  /** Aborts when the session is lost, with the reason; not when it is closed. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get isAlive(): boolean {
    return this.check();
  }

  /** Whether it counts as held: by the clock, also when the timer is late, after a pause of the process. */
  check(): boolean {
    if (this.remainingMs <= 0) this.lose('no renewal was confirmed in time');
    return !this.#lost.signal.aborted && !this.#closing.signal.aborted;
  }

  /** How long it counts as held without a further renewal. */
  get remainingMs(): number {
    return this.#confirmedAt + heldForMs(this.ttlMs) - this.#options.clock.now();
  }

  /** How long until Consul can expire it, without a further renewal: it may take twice as long. */
  get expiresInMs(): number {
    return this.#confirmedAt + this.ttlMs - this.#options.clock.now();
  }

  /** How long until Consul has expired it for sure, without a further renewal. */
  get goneInMs(): number {
    return this.expiresInMs + this.ttlMs;
  }

  lose(reason: string): void {
    if (this.#closing.signal.aborted || this.#lost.signal.aborted) return;
    this.#stopTimers();
    this.#lost.abort(new DiscoveryError('RK_LOCK_LOST', reason));
    this.#closing.abort(abortReason(this.#lost.signal));
  }

  /** No more renewals; the session stays in Consul until it expires, or is destroyed. */
  stopRenewing(): void {
    this.#stopTimers();
    this.#closing.abort(new Error('the session is closed'));
  }

  /** Ends the session, in Consul too. Where Consul does not respond it expires there by itself. */
  async close(timeoutMs: number): Promise<void> {
    this.stopRenewing();
    await this.#sessions.destroy(this.id, { timeout: timeoutMs }).catch(() => undefined);
  }

  #stopTimers(): void {
    this.#cancelRenewal();
    this.#cancelDeadline();
  }

  #arm(): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.clock.after(Math.max(0, this.remainingMs), () => {
      // A timer may be early by a fraction of a millisecond.
      if (this.isAlive) this.#arm();
    });
  }

  #schedule(): void {
    const { clock } = this.#options;
    const intervalMs = renewalIntervalMs(this.ttlMs, this.#serverTtlMs);
    this.#cancelRenewal = clock.after(untilNextRenewalMs(clock.now(), intervalMs), () => {
      void this.#renew(intervalMs);
    });
  }

  /** Never rejects. */
  async #renew(intervalMs: number): Promise<void> {
    // The next one is due when this one times out.
    this.#schedule();
    // After an outage connections hang: a short timeout frees them for the next renewal. Consul may be slow, too.
    if (this.#isDoubtful && !this.#isPatient) void this.#renewPatiently();
    await this.#send(intervalMs, false);
  }

  /** Never rejects. */
  async #renewPatiently(): Promise<void> {
    this.#isPatient = true;
    await this.#send(patientTimeoutMs(this.ttlMs), true);
    this.#isPatient = false;
  }

  /** Never rejects. */
  async #send(timeoutMs: number, isPatient: boolean): Promise<void> {
    const { clock, onDoubt } = this.#options;
    const sentAt = clock.now();
    try {
      const renewed = await withScopedSignal(this.#closing.signal, (signal, end) => {
        // Unlike the deadline of the request, it includes the wait for a connection.
        const late = new Error(`no response in ${Math.round(timeoutMs)} ms`);
        const cancel = clock.after(timeoutMs, () => end(late));
        return this.#sessions.renew(this.id, { timeout: timeoutMs, signal }, isPatient).finally(cancel);
      });
      if (!isPatient) this.#isDoubtful = false;
      this.#serverTtlMs = serverTtl(renewed?.TTL) ?? this.ttlMs;
      if (sentAt > this.#confirmedAt) this.#confirmedAt = sentAt;
      if (!this.#closing.signal.aborted) this.#arm();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      if (error instanceof DiscoveryError && error.code === 'RK_NOT_FOUND') {
        this.lose(GONE);
        return;
      }
      if (this.#isDoubtful) return;
      this.#isDoubtful = true;
      onDoubt?.(errorMessage(error));
    }
  }
}

function toDefinition({ name, ttlMs, lockDelayMs, behavior, checks }: SessionSpec): SessionDefinition {
  return {
    Name: name,
    TTL: formatDuration(ttlMs),
    LockDelay: formatDuration(lockDelayMs),
    Behavior: behavior,
    // The default of Consul is the health of the node, which flaps with the network of its agent.
    NodeChecks: [],
    ServiceChecks: checks.map((ID) => ({ ID })),
  };
}

function serverTtl(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return toMilliseconds(text, 'TTL');
  } catch {
    return undefined;
  }
}

function withSessionHint(error: unknown): unknown {
  if (!(error instanceof DiscoveryError) || error.code !== 'RK_ACL_DENIED') return error;
  return new DiscoveryError('RK_ACL_DENIED', 'the token may not create a session', {
    hint: 'It needs session:write on the node of its agent: session_prefix "" { policy = "write" }',
    cause: error,
  });
}
