import { createHash } from 'node:crypto';

export type AlertSeverity = 'critical' | 'warning' | 'info';

/** What a rule finds wrong at present. */
export interface AlertFinding {
  /**
   * What distinguishes it from others of its rule, such as `{ service: 'inventory' }`. All replicas of an app that see the same thing have to have the
   * same labels.
   */
  readonly labels: Readonly<Record<string, string>>;
  /** One line for the person on call. */
  readonly summary: string;
  /** More, if there is more: the reason, the numbers, what to look at. */
  readonly description?: string;
}

/** Something that is, or was, wrong for long enough to be told. */
export interface Alert extends AlertFinding {
  /** The name of its rule. */
  readonly name: string;
  readonly severity: AlertSeverity;
  /** The same for all that tell of the same thing. */
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly startsAt: number;
  /** Undefined: it still is. */
  readonly endsAt: number | undefined;
}

/** The labels that identify an alert, those of its rule among them. */
export function identifyingLabels(
  name: string,
  severity: AlertSeverity,
  labels: Readonly<Record<string, string>>,
): Record<string, string> {
  return { ...labels, alertname: name, severity };
}

export function fingerprintOf(labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}
