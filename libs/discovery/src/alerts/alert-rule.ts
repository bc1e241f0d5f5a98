import type { Duration } from '../configuration/duration.js';
import type { AlertFinding, AlertSeverity } from './alert.js';
import type { ObservedApp } from './observed-app.js';

/** When an alert fires, and when it is told that it does not any more. */
export interface AlertTiming {
  /** How long a finding has to last. Default: by the rule. */
  for?: Duration;
  /** How long it stays firing after the finding is gone, so that what comes and goes is one alert. Default: `'30s'`. */
  keepFiringFor?: Duration;
}

/** A rule: what is wrong, judged by what this app knows. Those of `AlertRuleOptions` are such rules. */
export interface AlertRule extends AlertTiming {
  /** `alertname`, such as `RookeryTooFewInstances`. */
  readonly name: string;
  /** Default: `'warning'`. */
  readonly severity?: AlertSeverity;
  /** Services whose lists it needs, whether the app calls them or not. */
  readonly watches?: readonly string[];
  /** Called every few seconds; an error that it throws is logged, and keeps its alerts as they are. */
  evaluate(app: ObservedApp): readonly AlertFinding[];
}
