import { DiscoveryError } from '../../errors/discovery-error.js';
import { errorMessage } from '../../errors/error-message.js';
import { abortReason, type Clock } from '../../timing/clock.js';
import { withScopedSignal } from '../../timing/scoped-signal.js';
import { heldForMs, patientTimeoutMs, renewalIntervalMs, untilNextRenewalMs } from './lease-timing.js';

/** What a lease needs of a registry: a session in Consul, a lease in etcd. */
export interface LeaseCalls {
  /** @returns its id */
  open(): Promise<string>;
  /**
   * @param isPatient it may take long, and must not hold a connection that other renewals need
   * @returns its time to live, in milliseconds, as the server has it; undefined: it does not say
   * @throws DiscoveryError `RK_NOT_FOUND` when it is gone
   */
  renew(
    id: string,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
    isPatient: boolean,
  ): Promise<number | undefined>;
  /** Ends it, and gives up what it holds. */
  close(id: string, timeoutMs: number): Promise<void>;
}

export interface LeaseOptions {
  readonly clock: Clock;
  /** Called when a renewal fails for the first time since one succeeded. */
  readonly onDoubt?: (reason: string) => void;
}

const GONE = 'its session is gone: it was invalidated, or has expired';

/**
 * A session in Consul, or a lease in etcd, that is renewed until it is closed. It counts as held while the clock says so, by the monotonic clock
 * of this process: a lost renewal, a frozen process and a partition end it here before the server can.
 */
export class Lease {
  readonly id: string;
  readonly ttlMs: number;
  readonly #calls: LeaseCalls;
  readonly #options: LeaseOptions;
  readonly #lost = new AbortController();
  readonly #closing = new AbortController();
  #confirmedAt: number;
  #serverTtlMs: number;
  #isDoubtful = false;
  #isPatient = false;
  #cancelRenewal: () => void = () => undefined;
  #cancelDeadline: () => void = () => undefined;

  /** @throws DiscoveryError when the registry does not create it */
  static async open(calls: LeaseCalls, ttlMs: number, options: LeaseOptions): Promise<Lease> {
    const sentAt = options.clock.now();
    return new Lease(calls, await calls.open(), ttlMs, sentAt, options);
  }

  private constructor(
    calls: LeaseCalls,
    id: string,
    ttlMs: number,
    confirmedAt: number,
    options: LeaseOptions,
  ) {
    this.#calls = calls;
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

  /** How long until the registry can expire it, without a further renewal: Consul may take twice as long. */
  get expiresInMs(): number {
    return this.#confirmedAt + this.ttlMs - this.#options.clock.now();
  }

  /** How long until the registry has expired it for sure, without a further renewal. */
  get goneInMs(): number {
    return this.expiresInMs + this.ttlMs;
  }

  lose(reason: string): void {
    if (this.#closing.signal.aborted || this.#lost.signal.aborted) return;
    this.#stopTimers();
    this.#lost.abort(new DiscoveryError('RK_LOCK_LOST', reason));
    this.#closing.abort(abortReason(this.#lost.signal));
  }

  /** No more renewals; the session stays in the registry until it expires, or is closed. */
  stopRenewing(): void {
    this.#stopTimers();
    this.#closing.abort(new Error('the session is closed'));
  }

  /** Ends the session, in the registry too. Where that does not respond it expires there by itself. */
  async close(timeoutMs: number): Promise<void> {
    this.stopRenewing();
    await this.#calls.close(this.id, timeoutMs).catch(() => undefined);
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
    // After an outage connections hang: a short timeout frees them for the next renewal. The registry may be slow, too.
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
        return this.#calls.renew(this.id, { timeoutMs, signal }, isPatient).finally(cancel);
      });
      if (!isPatient) this.#isDoubtful = false;
      this.#serverTtlMs = renewed ?? this.ttlMs;
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
