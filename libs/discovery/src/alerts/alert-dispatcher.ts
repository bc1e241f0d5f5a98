import { errorMessage } from '../errors/error-message.js';
import type { Clock } from '../timing/clock.js';
import type { Alert } from './alert.js';
import { AlertDelivery, type DeliveryOptions } from './alert-delivery.js';
import type { AlertClaim, AlertClaims, AlertSink } from './alert-sink.js';

export interface DispatcherOptions extends DeliveryOptions {
  readonly sinks: readonly AlertSink[];
  /** Undefined: there is nothing to agree by, and each replica sends. */
  readonly claims: AlertClaims | undefined;
}

/** Another replica may have died that told of an alert. */
const CLAIM_AGAIN_MS = 15_000;

/** What this replica does about an alert at sinks that would get it from all of them. */
interface ClaimedAlert {
  /** The latest words. */
  alert: Alert;
  claim: AlertClaim | undefined;
  /** This replica has told of it. */
  hasSent: boolean;
  isAsking: boolean;
  askedAt: number;
}

/** Sends alerts to all sinks: to those that know alerts by their labels from every replica, to the others from one of them. */
export class AlertDispatcher {
  readonly #options: DispatcherOptions;
  readonly #clock: Clock;
  readonly #shared: readonly AlertDelivery[];
  readonly #single: readonly AlertDelivery[];
  readonly #claimed = new Map<string, ClaimedAlert>();
  readonly #repeatedAt = new Map<AlertDelivery, number>();
  #hasWarned = false;
  #isClosed = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#clock = options.clock;
    const deliveries = options.sinks.map((sink) => new AlertDelivery(sink, options));
    this.#shared = deliveries.filter(({ sink }) => sink.deduplicates);
    this.#single = deliveries.filter(({ sink }) => !sink.deduplicates);
  }

  /** Of each sink, how many alerts wait to be sent. */
  get waiting(): readonly { readonly sink: string; readonly waiting: number }[] {
    return [...this.#shared, ...this.#single].map(({ sink, waiting }) => ({ sink: sink.name, waiting }));
  }

  /** @param firing all alerts that fire now */
  dispatch(changes: readonly Alert[], firing: readonly Alert[]): void {
    const now = this.#clock.now();
    for (const delivery of this.#shared) {
      delivery.send(changes);
      this.#repeat(delivery, firing, now);
    }
    if (this.#single.length === 0) return;
    for (const alert of firing) this.#keep(alert, now);
    for (const alert of changes) if (alert.endsAt !== undefined) this.#resolve(alert);
    const mine = firing.filter(({ fingerprint }) => this.#claimed.get(fingerprint)?.hasSent);
    for (const delivery of this.#single) this.#repeat(delivery, mine, now);
  }

  /** Sends what waits, within a limit. What others are to tell of from now on is released. */
  async close(withinMs: number): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#shared, ...this.#single].map((delivery) => delivery.close(withinMs)));
    const claims = [...this.#claimed.values()].flatMap(({ claim }) => claim ?? []);
    this.#claimed.clear();
    await Promise.allSettled(claims.map((claim) => claim.release()));
  }

  #repeat(delivery: AlertDelivery, firing: readonly Alert[], now: number): void {
    const { repeatEveryMs } = delivery.sink;
    const last = this.#repeatedAt.get(delivery) ?? now;
    if (repeatEveryMs !== undefined && now - last >= repeatEveryMs) {
      delivery.send(firing);
      this.#repeatedAt.set(delivery, now);
    } else this.#repeatedAt.set(delivery, last);
  }

  #keep(alert: Alert, now: number): void {
    const known = this.#claimed.get(alert.fingerprint);
    if (known) known.alert = alert;
    const claimed: ClaimedAlert = known ?? {
      alert,
      claim: undefined,
      hasSent: false,
      isAsking: false,
      askedAt: -Infinity,
    };
    this.#claimed.set(alert.fingerprint, claimed);
    // Lost, as a lock is after an outage: another replica may tell of it by now, or soon.
    if (claimed.claim?.signal?.aborted) claimed.claim = undefined;
    if (claimed.claim || claimed.isAsking || now - claimed.askedAt < CLAIM_AGAIN_MS) return;
    claimed.askedAt = now;
    this.#ask(claimed).catch((error: unknown) => this.#options.warn(errorMessage(error)));
  }

  async #ask(claimed: ClaimedAlert): Promise<void> {
    const { claims } = this.#options;
    const { fingerprint } = claimed.alert;
    claimed.isAsking = true;
    try {
      const claim = claims ? await claims.claim(fingerprint) : UNDISPUTED;
      if (claim && (this.#isClosed || this.#claimed.get(fingerprint) !== claimed)) {
        await claim.release();
        return;
      }
      claimed.claim = claim;
      if (claim) this.#tell(claimed);
    } catch (error) {
      if (!this.#hasWarned)
        this.#options.warn(
          `which replica tells of an alert cannot be agreed on, so that each of them does: ${errorMessage(error)}`,
        );
      this.#hasWarned = true;
      this.#tell(claimed);
    } finally {
      claimed.isAsking = false;
    }
  }

  #tell(claimed: ClaimedAlert): void {
    if (claimed.hasSent) return;
    claimed.hasSent = true;
    for (const delivery of this.#single) delivery.send([claimed.alert]);
  }

  #resolve(alert: Alert): void {
    const claimed = this.#claimed.get(alert.fingerprint);
    this.#claimed.delete(alert.fingerprint);
    if (claimed?.hasSent) for (const delivery of this.#single) delivery.send([alert]);
    claimed?.claim?.release().catch((error: unknown) => this.#options.warn(errorMessage(error)));
  }
}

const UNDISPUTED: AlertClaim = { release: async () => undefined };
