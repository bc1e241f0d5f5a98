import type { InstanceSource } from '../../registry/instance-source.js';
import type { ReconnectSignal } from '../../registry/reconnect-signal.js';
import { backoffDelay } from '../../timing/backoff.js';
import { delay, type Clock, type Random } from '../../timing/clock.js';

export interface RecoveryPingOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly reconnectSignal: ReconnectSignal;
}

const BACKOFF = { base: 500, cap: 2_000 };
const REACHABLE_INTERVAL_MS = 30_000;

/**
 * Pings a source while watches of it fail, on behalf of all of them: one cheap request now and then, so that hundreds of
 * watches can back off for long and still return soon after the source has recovered.
 */
export class RecoveryPing {
  readonly #source: InstanceSource;
  readonly #options: RecoveryPingOptions;
  readonly #failing = new Set<unknown>();
  #running: AbortController | undefined;

  constructor(source: InstanceSource, options: RecoveryPingOptions) {
    this.#source = source;
    this.#options = options;
  }

  failed(watcher: unknown): void {
    this.#failing.add(watcher);
    if (this.#running) return;
    this.#running = new AbortController();
    // It rejects only when `recovered` or `close` aborts it.
    this.#run(this.#running.signal).catch(() => undefined);
  }

  recovered(watcher: unknown): void {
    this.#failing.delete(watcher);
    if (this.#failing.size === 0) this.close();
  }

  close(): void {
    this.#running?.abort(new Error('no watch is failing'));
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, reconnectSignal } = this.#options;
    let failures = 0;
    for (;;) {
      await delay(clock, failures > 0 ? backoffDelay(failures, BACKOFF, random) : BACKOFF.base, signal);
      const isReachable = await this.#ping(signal);
      if (isReachable && failures > 0) reconnectSignal.reconnected();
      failures = isReachable ? 0 : failures + 1;
      // Reachable, while watches fail for another reason: they retry by themselves.
      if (isReachable) await delay(clock, REACHABLE_INTERVAL_MS, signal);
    }
  }

  async #ping(signal: AbortSignal): Promise<boolean> {
    return this.#source.ping(signal).then(
      ({ leader }) => leader,
      () => false,
    );
  }
}
