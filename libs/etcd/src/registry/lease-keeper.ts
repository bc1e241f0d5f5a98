import { DiscoveryError } from '@rookery/discovery';
import {
  abortReason,
  type Clock,
  delay,
  isAborted,
  type Random,
  withAbort,
} from '@rookery/discovery/adapter';
import type { LeaseApi } from '../client/api/lease.api.js';

export interface LeaseKeeperTools {
  readonly leases: Pick<LeaseApi, 'keepAlive'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** One that fails is sent again, to another member, well within the TTL: it has a sixth of it, and so has the pause after it. */
const RENEWALS_PER_TTL = 3;
const TRIES_PER_TTL = 6;
const RETRY_MS = 1_000;

/**
 * Renews a lease three times in every TTL, until it is stopped or etcd says that there is no such lease. That etcd is away says nothing: it
 * goes on, for ever, and finds out when etcd is back.
 */
export class LeaseKeeper {
  readonly id: bigint;
  readonly #ttlMs: number;
  readonly #tools: LeaseKeeperTools;
  readonly #stopping = new AbortController();
  readonly #onLost = new Set<() => void>();
  #isLost = false;

  constructor({ id, ttl }: { readonly id: bigint; readonly ttl: number }, tools: LeaseKeeperTools) {
    this.id = id;
    this.#ttlMs = ttl * 1_000;
    this.#tools = tools;
    void this.#run(this.#stopping.signal);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Resolves when the lease is gone; rejects when the signal aborts. */
  untilLost(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isLost) {
        resolve();
        return;
      }
      const lost = (): void => {
        signal.removeEventListener('abort', aborted);
        resolve();
      };
      const aborted = (): void => {
        this.#onLost.delete(lost);
        reject(abortReason(signal));
      };
      this.#onLost.add(lost);
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) aborted();
    });
  }

  stop(): void {
    this.#stopping.abort(new Error('the lease is not kept any longer'));
  }

  /** Never rejects. */
  async #run(signal: AbortSignal): Promise<void> {
    const { leases, clock, random } = this.#tools;
    const intervalMs = this.#ttlMs / RENEWALS_PER_TTL;
    const tryMs = this.#ttlMs / TRIES_PER_TTL;
    for (let failures = 0; !isAborted(signal);) {
      // Jitter only shortens it: never fewer than three in a TTL, and not in step with other apps.
      const wait =
        failures === 0
          ? intervalMs * (0.9 + 0.1 * random())
          : Math.min(RETRY_MS, tryMs) * (0.5 + 0.5 * random());
      try {
        await delay(clock, wait, signal);
        const ttl = await withAbort(leases.keepAlive(this.id, { timeoutMs: tryMs }), signal);
        if (ttl === undefined) {
          this.#lose();
          return;
        }
        failures = 0;
      } catch (error) {
        if (error instanceof DiscoveryError && error.code === 'RK_SHUT_DOWN') return;
        // The registrar tells of an etcd that is away: its own watch ends as well.
        failures++;
      }
    }
  }

  #lose(): void {
    this.#isLost = true;
    for (const lost of this.#onLost) lost();
    this.#onLost.clear();
  }
}
