import { type Clock, delay, isAborted, type Random, withAbort } from '@rookery/discovery/adapter';
import type { LeaseApi } from '../client/api/lease.api.js';

export interface LeaseKeeperTools {
  readonly leases: Pick<LeaseApi, 'keepAlive'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** Two of them may be lost without harm. */
const RENEWALS_PER_TTL = 3;
/** After one that failed: soon, since more must fit into what is left. */
const RETRY_MS = 1_000;

/**
 * Renews a lease three times in every TTL, until it is stopped or etcd says that there is no such lease. That etcd is away says nothing: it
 * goes on, for ever, and finds out when etcd is back.
 */
export class LeaseKeeper {
  readonly id: bigint;
  /** Resolves when the lease is gone. */
  readonly lost: Promise<void>;
  readonly #tools: LeaseKeeperTools;
  readonly #stopping = new AbortController();
  #isLost = false;
  #lose: () => void = () => undefined;

  constructor({ id, ttl }: { readonly id: bigint; readonly ttl: number }, tools: LeaseKeeperTools) {
    this.id = id;
    this.#tools = tools;
    this.lost = new Promise((resolve) => {
      this.#lose = () => {
        this.#isLost = true;
        resolve();
      };
    });
    void this.#run((ttl * 1_000) / RENEWALS_PER_TTL, this.#stopping.signal);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  stop(): void {
    this.#stopping.abort(new Error('the lease is not kept any longer'));
  }

  /** Never rejects. */
  async #run(intervalMs: number, signal: AbortSignal): Promise<void> {
    const { leases, clock, random } = this.#tools;
    for (let failures = 0; !isAborted(signal);) {
      // Jitter only shortens it: never fewer than three in a TTL, and not in step with other apps.
      const wait = failures === 0 ? intervalMs * (0.9 + 0.1 * random()) : RETRY_MS * (0.5 + 0.5 * random());
      try {
        await delay(clock, Math.min(wait, intervalMs), signal);
        const ttl = await withAbort(leases.keepAlive(this.id), signal);
        if (ttl === undefined) {
          this.#lose();
          return;
        }
        failures = 0;
      } catch {
        // The registrar tells of an etcd that is away: its own watch ends as well.
        failures++;
      }
    }
  }
}
