import { isInTrouble } from '../../errors/discovery-error.js';
import type { InstanceSource } from '../../registry/instance-source.js';
import type { ReconnectSignal } from '../../registry/reconnect-signal.js';
import { backoffDelay } from '../../timing/backoff.js';
import { delay, type Clock, type Random } from '../../timing/clock.js';

export interface RecoveryPingOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly reconnectSignal: ReconnectSignal;
}

/** Also before the first ping: watches fail together, and their apps must not ping together. */
const UNREACHABLE = { base: 2_000, cap: 2_000 };
/** Its servers are in trouble, for all apps of a datacenter. */
const IN_TROUBLE = { base: 8_000, cap: 8_000 };
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

  /** @param error what the watch failed with */
  failed(watcher: unknown, error: unknown): void {
    this.#failing.add(watcher);
    if (this.#running) return;
    this.#running = new AbortController();
    // It rejects only when `recovered` or `close` aborts it.
    this.#run(isInTrouble(error), this.#running.signal).catch(() => undefined);
  }

  recovered(watcher: unknown): void {
    this.#failing.delete(watcher);
    if (this.#failing.size === 0) this.close();
  }

  close(): void {
    this.#running?.abort(new Error('no watch is failing'));
    this.#running = undefined;
  }

  async #run(isAnswering: boolean, signal: AbortSignal): Promise<void> {
    const { clock, random, reconnectSignal } = this.#options;
    let hasFailed = false;
    for (let hasTrouble = isAnswering; ;) {
      await delay(clock, backoffDelay(1, hasTrouble ? IN_TROUBLE : UNREACHABLE, random), signal);
      const result = await this.#ping(signal);
      if (result === 'well' && hasFailed) reconnectSignal.reconnected();
      hasFailed = result !== 'well';
      hasTrouble = result === 'in trouble';
      // Reachable, while watches fail for another reason: they retry by themselves.
      if (result === 'well') await delay(clock, REACHABLE_INTERVAL_MS, signal);
    }
  }

  async #ping(signal: AbortSignal): Promise<'well' | 'in trouble' | 'unreachable'> {
    return this.#source.ping(signal).then(
      ({ leader }) => (leader ? 'well' : 'in trouble'),
      (error: unknown) => (isInTrouble(error) ? 'in trouble' : 'unreachable'),
    );
  }
}
