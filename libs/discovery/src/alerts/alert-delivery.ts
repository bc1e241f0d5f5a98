import type { DiscoveryEvent } from '../events/discovery-event.js';
import { errorMessage } from '../errors/error-message.js';
import { backoffDelay } from '../timing/backoff.js';
import { delay, type Clock, type Random } from '../timing/clock.js';
import { withTimeout } from '../timing/with-timeout.js';
import type { Alert } from './alert.js';
import type { AlertSink } from './alert-sink.js';

export interface DeliveryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: (event: DiscoveryEvent) => void;
  readonly warn: (message: string) => void;
  /** What comes within this time is one message. */
  readonly groupWaitMs: number;
  /** The most alerts that wait. */
  readonly queue: number;
}

const SEND_TIMEOUT_MS = 10_000;
const BACKOFF = { base: 1_000, cap: 30_000 };
const MOST_AT_ONCE = 100;

/** The way of alerts to one sink: what it does not take now waits, in order, and is sent when it does. */
export class AlertDelivery {
  readonly #sink: AlertSink;
  readonly #options: DeliveryOptions;
  readonly #waiting: Alert[] = [];
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #failures = 0;
  #dropped = 0;

  constructor(sink: AlertSink, options: DeliveryOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  get sink(): AlertSink {
    return this.#sink;
  }

  /** How many alerts wait to be sent. */
  get waiting(): number {
    return this.#waiting.length;
  }

  send(alerts: readonly Alert[]): void {
    if (this.#closing.signal.aborted) return;
    for (const alert of alerts) {
      // The same state of the same alert, which still waits, is replaced: its words may be newer.
      const same = this.#waiting.findIndex(
        ({ fingerprint, endsAt }) => fingerprint === alert.fingerprint && endsAt === alert.endsAt,
      );
      if (same >= 0) this.#waiting[same] = alert;
      else this.#waiting.push(alert);
    }
    const excess = this.#waiting.length - this.#options.queue;
    if (excess > 0) this.#drop(excess);
    if (this.#waiting.length > 0) this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Sends what waits, within a limit, and nothing more. */
  async close(withinMs: number): Promise<void> {
    this.#closing.abort(new Error('the app is shutting down'));
    await this.#running?.catch(() => undefined);
    if (this.#waiting.length > 0)
      await this.#attempt(this.#waiting.slice(0, MOST_AT_ONCE), Math.min(withinMs, SEND_TIMEOUT_MS)).catch(
        () => undefined,
      );
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { clock, random, groupWaitMs } = this.#options;
    const { signal } = this.#closing;
    try {
      while (this.#waiting.length > 0) {
        await delay(
          clock,
          this.#failures > 0 ? backoffDelay(this.#failures, BACKOFF, random) : groupWaitMs,
          signal,
        );
        const batch = this.#waiting.slice(0, MOST_AT_ONCE);
        await this.#attempt(batch, SEND_TIMEOUT_MS).then(
          () => this.#sent(batch),
          (error: unknown) => this.#failed(error),
        );
      }
    } catch {
      // The app is closed: close() sends what is left.
    }
  }

  async #attempt(batch: readonly Alert[], withinMs: number): Promise<void> {
    const ending = new AbortController();
    const timedOut = (): Error => new Error(`no response in ${withinMs} ms`);
    try {
      const sending = (async () => this.#sink.send(batch, ending.signal))();
      await withTimeout(this.#options.clock, withinMs, sending, timedOut);
    } finally {
      ending.abort(timedOut());
    }
  }

  #sent(batch: readonly Alert[]): void {
    const sent = new Set(batch);
    const rest = this.#waiting.filter((alert) => !sent.has(alert));
    this.#waiting.splice(0, this.#waiting.length, ...rest);
    if (this.#failures > 0) this.#options.warn(`alerts reach ${this.#sink.name} again`);
    this.#failures = 0;
    if (this.#dropped > 0)
      this.#options.emit({ type: 'alert.dropped', sink: this.#sink.name, count: this.#dropped });
    this.#dropped = 0;
  }

  #failed(error: unknown): void {
    if (this.#failures++ === 0)
      this.#options.warn(
        `alerts cannot be sent to ${this.#sink.name}, ${this.#waiting.length} are kept, retrying: ${errorMessage(error)}`,
      );
  }

  /** The oldest: what is new matters more. It is told at once, and how many there were when the sink takes alerts again. */
  #drop(count: number): void {
    this.#waiting.splice(0, count);
    if (this.#dropped === 0) this.#options.emit({ type: 'alert.dropped', sink: this.#sink.name, count });
    this.#dropped += count;
  }
}
