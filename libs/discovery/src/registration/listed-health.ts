import type { InstanceStatus } from '../registry/service-instance.js';
import type { Clock } from '../timing/clock.js';

export interface FailingChecks {
  readonly output: string;
  /** How long they may fail before that is reported: a check that failed once may pass at its next interval. */
  readonly patienceMs: number;
}

export interface ListedHealthOptions {
  readonly clock: Clock;
  /** After which time the failing checks are looked at for the first time. */
  readonly firstLookMs: number;
  /** Whether the app itself is healthy. */
  readonly isHealthy: () => Promise<boolean>;
  /** The failing checks, from the registry; undefined: none fails. */
  readonly readFailing: () => Promise<FailingChecks | undefined>;
  readonly onFailing: (output: string) => void;
  readonly onRecovered: () => void;
}

/**
 * The health of this instance as the registry lists it. A healthy app whose checks fail gets no calls and does not notice,
 * unless it is told.
 */
export class ListedHealth {
  readonly #options: ListedHealthOptions;
  #status: InstanceStatus | undefined;
  #cancel: (() => void) | undefined;
  #criticalSince = 0;
  #isReported = false;

  constructor(options: ListedHealthOptions) {
    this.#options = options;
  }

  /** Undefined: the registry has not listed it yet. */
  get status(): InstanceStatus | undefined {
    return this.#status;
  }

  listed(status: InstanceStatus): void {
    // It hides what the checks say.
    if (status === 'maintenance') return;
    if (status === 'critical' && this.#status !== 'critical') this.#criticalSince = this.#options.clock.now();
    this.#status = status;
    if (status === 'critical') {
      if (!this.#isReported) this.#cancel ??= this.#lookAfter(this.#options.firstLookMs);
      return;
    }
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#isReported) this.#options.onRecovered();
    this.#isReported = false;
  }

  /** Forgets it, and ends the timer. */
  reset(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#status = undefined;
    this.#isReported = false;
  }

  #lookAfter(milliseconds: number): () => void {
    let isCancelled = false;
    const look = async (): Promise<void> => {
      const { clock, isHealthy, readFailing, onFailing, firstLookMs } = this.#options;
      // An app that is not healthy itself has said so elsewhere.
      const failing = (await isHealthy()) ? await readFailing() : undefined;
      if (isCancelled) return;
      const leftMs = failing ? this.#criticalSince + failing.patienceMs - clock.now() : firstLookMs;
      this.#cancel = !failing || leftMs > 0 ? this.#lookAfter(Math.max(leftMs, 1)) : undefined;
      if (!failing || leftMs > 0) return;
      this.#isReported = true;
      onFailing(failing.output);
    };
    const cancelTimer = this.#options.clock.after(milliseconds, () => {
      // The registry does not answer now: that is reported elsewhere.
      look().catch(() => {
        if (!isCancelled) this.#cancel = this.#lookAfter(this.#options.firstLookMs);
      });
    });
    return () => {
      isCancelled = true;
      cancelTimer();
    };
  }
}
