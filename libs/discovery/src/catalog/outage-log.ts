import type { LoggerService } from '@nestjs/common';
import { DiscoveryError } from '../errors/discovery-error.js';

/**
 * Tells of an outage once, not once for each of hundreds of watches: the first watch that fails for a reason is
 * reported, the others of the same reason only at debug level, and the end of it when the last one is current again.
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
    this.#failing.set(reason, failing);
    if (failing.size === 0) this.#logger.warn(message);
    else this.#logger.debug?.(message);
    failing.add(watcher);
  }

  recovered(watcher: unknown): void {
    if (this.#forget(watcher))
      this.#logger.log(`${this.#registry} answers again: every list in use is current`);
  }

  /** It is no part of the outage any more, which may well go on. */
  stopped(watcher: unknown): void {
    this.#forget(watcher);
  }

  /** True when it was the last one that failed for its reason. */
  #forget(watcher: unknown): boolean {
    let ended = false;
    for (const [reason, failing] of this.#failing) {
      if (!failing.delete(watcher)) continue;
      if (failing.size === 0) this.#failing.delete(reason);
      ended ||= failing.size === 0;
    }
    return ended;
  }
}
