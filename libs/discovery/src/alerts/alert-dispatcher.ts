import { createHash } from 'node:crypto';
import { errorMessage } from '../errors/error-message.js';
import type { Clock } from '../timing/clock.js';
import { withTimeout } from '../timing/with-timeout.js';
import type { Alert } from './alert.js';
import { AlertDelivery, type DeliveryOptions } from './alert-delivery.js';
import type { AlertClaim, AlertClaims, AlertSink } from './alert-sink.js';

export interface DispatcherOptions extends DeliveryOptions {
  readonly sinks: readonly AlertSink[];
  /** Undefined: there is nothing to agree by, and each replica sends. */
  readonly claims: AlertClaims | undefined;
  /** Of which the replicas agree: the name of the app. Undefined: it has none by which others would be known as its replicas, and each sends. */
  readonly app: string | undefined;
  /** For so long after an alert is resolved no other replica tells of it: they resolve it at different moments. */
  readonly settleMs: number;
}

/** Another replica may have died that told of an alert. */
const CLAIM_AGAIN_MS = 15_000;
const RELEASE_WITHIN_MS = 1_000;
/** A replica that cannot reach its sinks leaves an alert to another one. */
const MOST_FAILURES = 5;

/** What this replica does about an alert at sinks that would get it from all of them. */
interface ClaimedAlert {
  /** The latest words. */
  alert: Alert;
  claim: AlertClaim | undefined;
  /** This replica has told of it, and nothing says that another one does. */
  hasSent: boolean;
  sentAt: number;
  isAsking: boolean;
  askedAt: number;
}

/** Sends alerts to all sinks: to those that know alerts by their labels from every replica, to the others from one of them. */
export class AlertDispatcher {
  readonly #options: DispatcherOptions;
  readonly #claims: AlertClaims | undefined;
  readonly #clock: Clock;
  readonly #shared: readonly AlertDelivery[];
  readonly #single: readonly AlertDelivery[];
  readonly #claimed = new Map<string, ClaimedAlert>();
  /** By fingerprint: claims of alerts that are resolved, which are kept for a while. */
  readonly #settling = new Map<string, { readonly claim: AlertClaim; readonly cancel: () => void }>();
  readonly #repeatedAt = new Map<AlertDelivery, number>();
  readonly #scope: string;
  #hasWarned = false;
  #isClosed = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#claims = options.app === undefined ? undefined : options.claims;
    this.#clock = options.clock;
    const deliveries = options.sinks.map((sink) => new AlertDelivery(sink, options));
    this.#shared = deliveries.filter(({ sink }) => sink.deduplicates);
    this.#single = deliveries.filter(({ sink }) => !sink.deduplicates);
    // Another app, or the same one with other sinks, tells of the same thing to other people.
    const sinks = this.#single.map(({ sink }) => sink.id ?? sink.name).sort();
    this.#scope = `${options.app}/${createHash('sha256').update(JSON.stringify(sinks)).digest('hex').slice(0, 8)}`;
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
      this.#repeatShared(delivery, firing, now);
    }
    if (this.#single.length === 0) return;
    for (const alert of changes) if (alert.endsAt !== undefined) this.#resolve(alert);
    for (const alert of firing) this.#keep(alert, now);
  }

  /** Sends what waits, within a limit. What others are to tell of from now on is released. */
  async close(withinMs: number): Promise<void> {
    this.#isClosed = true;
    const held = [...this.#claimed.values()].flatMap(({ claim }) => claim ?? []);
    for (const { claim, cancel } of this.#settling.values()) {
      cancel();
      held.push(claim);
    }
    this.#claimed.clear();
    this.#settling.clear();
    await Promise.all([
      ...[...this.#shared, ...this.#single].map((delivery) => delivery.close(withinMs)),
      ...held.map((claim) => this.#release(claim)),
    ]);
  }

  #repeatShared(delivery: AlertDelivery, firing: readonly Alert[], now: number): void {
    const { repeatEveryMs } = delivery.sink;
    const last = this.#repeatedAt.get(delivery);
    if (last === undefined || (repeatEveryMs !== undefined && now - last >= repeatEveryMs)) {
      // The first time there is nothing to repeat.
      if (last !== undefined) delivery.send(firing);
      this.#repeatedAt.set(delivery, now);
    }
  }

  #keep(alert: Alert, now: number): void {
    const known = this.#claimed.get(alert.fingerprint);
    if (known) known.alert = alert;
    const claimed: ClaimedAlert = known ?? {
      alert,
      claim: this.#reclaimed(alert.fingerprint),
      hasSent: false,
      sentAt: -Infinity,
      isAsking: false,
      askedAt: -Infinity,
    };
    this.#claimed.set(alert.fingerprint, claimed);
    this.#reconsider(claimed);
    if (!known && claimed.claim) this.#tell(claimed);
    if (claimed.claim) this.#repeat(claimed, now);
    if (claimed.claim || claimed.isAsking || now - claimed.askedAt < CLAIM_AGAIN_MS) return;
    claimed.askedAt = now;
    void this.#ask(claimed);
  }

  /** It fires again, soon after it was resolved: this replica has its claim still, and could not get it again. */
  #reclaimed(fingerprint: string): AlertClaim | undefined {
    const settling = this.#settling.get(fingerprint);
    settling?.cancel();
    this.#settling.delete(fingerprint);
    return settling?.claim;
  }

  /** A claim that is lost, or of no use here, is another replica's. */
  #reconsider(claimed: ClaimedAlert): void {
    const { claim } = claimed;
    if (!claim) return;
    if (claim.signal?.aborted) claimed.claim = undefined;
    else if (this.#claims && this.#single.every(({ failures }) => failures >= MOST_FAILURES)) {
      claimed.claim = undefined;
      claimed.hasSent = false;
      void this.#release(claim);
    }
  }

  #repeat(claimed: ClaimedAlert, now: number): void {
    const due = this.#single.filter(
      ({ sink: { repeatEveryMs } }) => repeatEveryMs !== undefined && now - claimed.sentAt >= repeatEveryMs,
    );
    if (!claimed.hasSent || due.length === 0) return;
    claimed.sentAt = now;
    for (const delivery of due) delivery.send([claimed.alert]);
  }

  /** Never rejects. */
  async #ask(claimed: ClaimedAlert): Promise<void> {
    const claims = this.#claims;
    const { fingerprint } = claimed.alert;
    const isCurrent = (): boolean => !this.#isClosed && this.#claimed.get(fingerprint) === claimed;
    claimed.isAsking = true;
    try {
      const claim = claims ? await claims.claim(`${this.#scope}/${fingerprint}`) : UNDISPUTED;
      this.#hasWarned = false;
      if (!isCurrent()) {
        if (claim) await this.#release(claim);
        return;
      }
      claimed.claim = claim;
      if (claim) this.#tell(claimed);
      // Another replica tells of it: of its end, too.
      else claimed.hasSent = false;
    } catch (error) {
      if (!isCurrent()) return;
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
    claimed.sentAt = this.#clock.now();
    for (const delivery of this.#single) delivery.send([claimed.alert]);
  }

  #resolve(alert: Alert): void {
    const claimed = this.#claimed.get(alert.fingerprint);
    this.#claimed.delete(alert.fingerprint);
    if (claimed?.hasSent) for (const delivery of this.#single) delivery.send([alert]);
    const claim = claimed?.claim;
    if (!claim) return;
    const { fingerprint } = alert;
    const cancel = this.#clock.after(this.#options.settleMs, () => {
      this.#settling.delete(fingerprint);
      void this.#release(claim);
    });
    this.#settling.set(fingerprint, { claim, cancel });
  }

  /** Never rejects: what cannot be released expires. */
  async #release(claim: AlertClaim): Promise<void> {
    const timedOut = (): Error => new Error('timed out');
    await withTimeout(this.#clock, RELEASE_WITHIN_MS, claim.release(), timedOut).catch(() => undefined);
  }
}

const UNDISPUTED: AlertClaim = { release: async () => undefined };
