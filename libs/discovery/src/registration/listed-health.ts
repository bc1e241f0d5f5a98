import type { InstanceStatus } from '../registry/service-instance.js';
import type { Clock } from '../timing/clock.js';

export interface ListedHealthOptions {
  readonly clock: Clock;
  /** How long the registry may list the instance as critical before its checks count as failing. */
  readonly patienceMs: number;
  /** Whether the app itself is healthy. */
  readonly isHealthy: () => Promise<boolean>;
  /** What the failing checks say, from the registry. */
  readonly readOutput: () => Promise<string | undefined>;
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
  #isReported = false;

  constructor(options: ListedHealthOptions) {
    this.#options = options;
  }

  /** Undefined: the registry has not listed it yet. */
  get status(): InstanceStatus | undefined {
    return this.#status;
  }

  listed(status: InstanceStatus): void {
    this.#status = status;
    if (status === 'critical') {
      if (!this.#isReported) this.#cancel ??= this.#lookLater();
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

  #lookLater(): () => void {
    let isCancelled = false;
    const look = async (): Promise<void> => {
      // An app that is not healthy itself has said so elsewhere.
      const output = (await this.#options.isHealthy()) ? await this.#options.readOutput() : undefined;
      if (isCancelled) return;
      this.#cancel = output === undefined ? this.#lookLater() : undefined;
      if (output === undefined) return;
      this.#isReported = true;
      this.#options.onFailing(output);
    };
    const cancelTimer = this.#options.clock.after(this.#options.patienceMs, () => {
      // The registry does not answer now: that is reported elsewhere.
      look().catch(() => {
        if (!isCancelled) this.#cancel = this.#lookLater();
      });
    });
    return () => {
      isCancelled = true;
      cancelTimer();
    };
  }
}
