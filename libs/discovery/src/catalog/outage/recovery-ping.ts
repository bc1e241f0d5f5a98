import type { InstanceSource } from '../../registry/instance-source.js';
import type { Reachability } from '../../registry/reconnect-signal.js';
import { pause, type Clock, type Random } from '../../timing/clock.js';
import { backoffPause } from '../../timing/backoff.js';

export interface ScoutOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly reachability: Reachability;
}

const AWAY = { base: 500, cap: 2_000 };
const NOT_AWAY_MS = 30_000;

/**
 * Asks for all watches of a source, while some of them fail, whether it is back: one cheap request now and then, so that
 * hundreds of watches may rest for long and yet return soon.
 */
export class RegistryScout {
  readonly #source: InstanceSource;
  readonly #options: ScoutOptions;
  readonly #failing = new Set<unknown>();
  #running: AbortController | undefined;

  constructor(source: InstanceSource, options: ScoutOptions) {
    this.#source = source;
    this.#options = options;
  }

  failed(watcher: unknown): void {
    this.#failing.add(watcher);
    if (this.#running) return;
    this.#running = new AbortController();
    // Ends only by `recovered` and `close`.
    this.#run(this.#running.signal).catch(() => undefined);
  }

  recovered(watcher: unknown): void {
    this.#failing.delete(watcher);
    if (this.#failing.size === 0) this.close();
  }

  close(): void {
    this.#running?.abort(new Error('nobody fails any more'));
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, reachability } = this.#options;
    let failures = 0;
    for (;;) {
      await pause(clock, failures > 0 ? backoffPause(failures, AWAY, random) : AWAY.base, signal);
      const isThere = await this.#ping(signal);
      if (isThere && failures > 0) reachability.answered();
      failures = isThere ? 0 : failures + 1;
      // It answers, and the watches fail all the same: they ask for themselves.
      if (isThere) await pause(clock, NOT_AWAY_MS, signal);
    }
  }

  async #ping(signal: AbortSignal): Promise<boolean> {
    return this.#source.ping(signal).then(
      ({ leader }) => leader,
      () => false,
    );
  }
}
