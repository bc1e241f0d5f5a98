import type { LoggerService } from '@nestjs/common';
import { DiscoveryError, isRefused } from '../../errors/discovery-error.js';

/**
 * Logs an outage once, not once for each of hundreds of watches: the first watch that fails for a reason is logged as a
 * warning, the others with the same reason only at debug level, and the end when the last of them has recovered.
 */
export class OutageLog {
  readonly #logger: LoggerService;
  readonly #registry: string;
  readonly #failing = new Map<string, Set<unknown>>();

  constructor(logger: LoggerService, registry: string) {
    this.#logger = logger;
    this.#registry = registry;
  }

  failed(watcher: unknown, error: unknown, message: string): void {
    const reason = error instanceof DiscoveryError ? error.code : 'other';
    const failing = this.#failing.get(reason) ?? new Set();
    if (failing.has(watcher)) return;
    // A registry that refuses a request has answered it: for this watcher the earlier outage is over.
    if (this.#remove(watcher) && isRefused(error)) this.#logEnd(1);
    this.#failing.set(reason, failing);
    if (failing.size === 0) this.#logger.warn(message);
    else this.#logger.debug?.(message);
    failing.add(watcher);
  }

  recovered(watcher: unknown): void {
    if (this.#remove(watcher)) this.#logEnd(0);
  }

  /** The watcher no longer counts; the outage may go on. */
  stopped(watcher: unknown): void {
    this.#remove(watcher);
  }

  /** @param refused how many watches it has just refused */
  #logEnd(refused: number): void {
    const failing = [...this.#failing.values()].reduce((count, { size }) => count + size, refused);
    const others =
      failing === 0
        ? 'all watches are current'
        : `all watches are current but ${failing}, which ${failing === 1 ? 'fails' : 'fail'} for another reason`;
    this.#logger.log(`${this.#registry} reachable again, ${others}`);
  }

  /** @returns whether it was the last watcher that failed for its reason */
  #remove(watcher: unknown): boolean {
    let hasEnded = false;
    for (const [reason, failing] of this.#failing) {
      if (!failing.delete(watcher)) continue;
      if (failing.size === 0) this.#failing.delete(reason);
      hasEnded ||= failing.size === 0;
    }
    return hasEnded;
  }
}
