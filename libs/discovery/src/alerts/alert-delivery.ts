import type { DiscoveryEvent } from '../events/discovery-event.js';
import { errorMessage } from '../errors/error-message.js';
import { backoffDelay } from '../timing/backoff.js';
import { delay, isAborted, type Clock, type Random } from '../timing/clock.js';
import { withTimeout } from '../timing/with-timeout.js';
import type { Alert } from './alert.js';
import { AlertRefused, type AlertSink } from './alert-sink.js';

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
/** What is dropped is told at the first time, and then at most this often. */
const TELL_DROPPED_MS = 60_000;

/** The way of alerts to one sink: what it does not take now waits, in order, and is sent when it does. */
export class AlertDelivery {
  readonly #sink: AlertSink;
  readonly #options: DeliveryOptions;
  readonly #waiting: Alert[] = [];
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #failures = 0;
  /** Not told yet. */
  #dropped = 0;
  #toldAt = -Infinity;

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

  /** Consecutive attempts that have failed. */
  get failures(): number {
    return this.#failures;
  }

  send(alerts: readonly Alert[]): void {
    if (this.#closing.signal.aborted) return;
    for (const alert of alerts) {
      // The same state of the same alert, which still waits, has newer words now; at the end, since it may have been resolved between.
      const same = this.#waiting.findIndex(
        ({ fingerprint, startsAt, endsAt }) =>
          fingerprint === alert.fingerprint && startsAt === alert.startsAt && endsAt === alert.endsAt,
      );
      if (same >= 0) this.#waiting[same] = alert;
      else this.#waiting.push(alert);
    }
    const excess = this.#waiting.length - this.#options.queue;
    if (excess > 0) {
      // The oldest: what is new matters more.
      this.#waiting.splice(0, excess);
      this.#drop(excess);
    }
    if (this.#waiting.length > 0) this.#running ??= this.#run();
  }

  /** Sends what waits, within a limit, and nothing more. */
  async close(withinMs: number): Promise<void> {
    const { clock } = this.#options;
    this.#closing.abort(new Error('the app is shutting down'));
    const timedOut = (): Error => new Error('timed out');
    const last = async (): Promise<void> => {
      await this.#running;
      if (this.#waiting.length > 0) await this.#attempt(this.#waiting.slice(0, MOST_AT_ONCE), withinMs);
    };
    await withTimeout(clock, withinMs, last(), timedOut).then(
      () => this.#waiting.splice(0, MOST_AT_ONCE),
      () => undefined,
    );
    if (this.#waiting.length > 0) this.#drop(this.#waiting.length);
    this.#waiting.length = 0;
    this.#tellDropped(true);
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { clock, random, groupWaitMs } = this.#options;
    const { signal } = this.#closing;
    while (this.#waiting.length > 0 && !signal.aborted) {
      const waitMs = this.#failures > 0 ? backoffDelay(this.#failures, BACKOFF, random) : groupWaitMs;
      await delay(clock, waitMs, signal).catch(() => undefined);
      // close() sends what is left.
      if (isAborted(signal)) break;
      const batch = this.#waiting.slice(0, MOST_AT_ONCE);
      try {
        await this.#attempt(batch, SEND_TIMEOUT_MS);
        this.#sent(batch);
      } catch (error) {
        if (error instanceof AlertRefused && !isAborted(signal)) await this.#oneByOne(batch, error);
        else this.#failed(error);
      }
    }
    // At once: what is sent in the same moment begins anew.
    this.#running = undefined;
  }

  /** The sink answers, and does not take the batch: one of its alerts must not hold up all others. */
  async #oneByOne(batch: readonly Alert[], refusal: AlertRefused): Promise<void> {
    const alone = batch.length === 1;
    for (const alert of batch) {
      try {
        if (alone) throw refusal;
        await this.#attempt([alert], SEND_TIMEOUT_MS);
        this.#sent([alert]);
      } catch (error) {
        if (!(error instanceof AlertRefused)) {
          this.#failed(error);
          return;
        }
        this.#options.warn(
          `${this.#sink.name} does not take the alert ${alert.name}: ${errorMessage(error)}`,
        );
        this.#remove([alert]);
        this.#drop(1);
      }
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
    this.#remove(batch);
    if (this.#failures > 0) this.#options.warn(`alerts reach ${this.#sink.name} again`);
    this.#failures = 0;
    this.#tellDropped(true);
  }

  #remove(batch: readonly Alert[]): void {
    const sent = new Set(batch);
    const rest = this.#waiting.filter((alert) => !sent.has(alert));
    this.#waiting.splice(0, this.#waiting.length, ...rest);
  }

  #failed(error: unknown): void {
    if (this.#failures++ === 0)
      this.#options.warn(
        `alerts cannot be sent to ${this.#sink.name}, ${this.#waiting.length} are kept, retrying: ${errorMessage(error)}`,
      );
  }

  #drop(count: number): void {
    this.#dropped += count;
    this.#tellDropped(false);
  }

  #tellDropped(isLast: boolean): void {
    const now = this.#options.clock.now();
    if (this.#dropped === 0 || (!isLast && now - this.#toldAt < TELL_DROPPED_MS)) return;
    this.#toldAt = now;
    this.#options.emit({ type: 'alert.dropped', sink: this.#sink.name, count: this.#dropped });
    this.#dropped = 0;
  }
}
