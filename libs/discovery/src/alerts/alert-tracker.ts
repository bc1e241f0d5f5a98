import {
  fingerprintOf,
  identifyingLabels,
  type Alert,
  type AlertFinding,
  type AlertSeverity,
} from './alert.js';

/** A rule with its times, complete. */
export interface TrackedRule {
  readonly name: string;
  readonly severity: AlertSeverity;
  readonly forMs: number;
  readonly keepFiringForMs: number;
}

interface TrackedFinding {
  finding: AlertFinding;
  /** When it was first found, without a gap. */
  since: number;
  /** When it was found last. */
  seenAt: number;
  /** When it began to fire; undefined: it is pending. */
  firingSince: number | undefined;
}

/** The findings of one rule over time: a finding that lasts fires, and one that is gone for a while is resolved. */
export class AlertTracker {
  readonly #rule: TrackedRule;
  readonly #tracked = new Map<string, TrackedFinding>();

  constructor(rule: TrackedRule) {
    this.#rule = rule;
  }

  /**
   * @param now milliseconds since 1970
   * @returns the alerts that began to fire, and those that are resolved
   */
  update(findings: readonly AlertFinding[], now: number): readonly Alert[] {
    const { forMs, keepFiringForMs } = this.#rule;
    const changes: Alert[] = [];
    for (const finding of findings) {
      const key = this.#fingerprint(finding);
      const tracked = this.#tracked.get(key) ?? { finding, since: now, seenAt: now, firingSince: undefined };
      // Its words may change while it fires: the latest are the best.
      tracked.finding = finding;
      tracked.seenAt = now;
      this.#tracked.set(key, tracked);
      if (tracked.firingSince !== undefined || now - tracked.since < forMs) continue;
      tracked.firingSince = now;
      changes.push(this.#alert(key, tracked, undefined));
    }
    for (const [key, tracked] of this.#tracked) {
      if (tracked.seenAt === now) continue;
      const isFiring = tracked.firingSince !== undefined;
      if (isFiring && now - tracked.seenAt < keepFiringForMs) continue;
      this.#tracked.delete(key);
      if (isFiring) changes.push(this.#alert(key, tracked, now));
    }
    return changes;
  }

  get firing(): readonly Alert[] {
    const firing = [...this.#tracked].filter(([, { firingSince }]) => firingSince !== undefined);
    return firing.map(([key, tracked]) => this.#alert(key, tracked, undefined));
  }

  #fingerprint({ labels }: AlertFinding): string {
    return fingerprintOf(identifyingLabels(this.#rule.name, this.#rule.severity, labels));
  }

  #alert(fingerprint: string, { finding, since }: TrackedFinding, endsAt: number | undefined): Alert {
    const { name, severity } = this.#rule;
    return { ...finding, name, severity, fingerprint, startsAt: since, endsAt };
  }
}
