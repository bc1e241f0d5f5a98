import type { LoggerService } from '@nestjs/common';
import { DiscoveryError } from '../../errors/discovery-error.js';

const ANSWERS: ReadonlySet<string> = new Set(['RK_REGISTRY_REFUSED', 'RK_ACL_DENIED', 'RK_NOT_FOUND']);

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
    // It is no part of the outage that it was in before: a registry that refuses is one that answers.
    if (this.#forget(watcher) && ANSWERS.has(reason)) this.#tellEnd();
    this.#failing.set(reason, failing);
    if (failing.size === 0) this.#logger.warn(message);
    else this.#logger.debug?.(message);
    failing.add(watcher);
  }

  recovered(watcher: unknown): void {
    if (this.#forget(watcher)) this.#tellEnd();
  }

  /** It is no part of the outage any more, which may well go on. */
  stopped(watcher: unknown): void {
    this.#forget(watcher);
  }

  #tellEnd(): void {
    this.#logger.log(`${this.#registry} answers again: every list in use is current`);
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
