import { toMilliseconds } from '../configuration/duration.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { errorMessage } from '../errors/error-message.js';
import type { Clock } from '../timing/clock.js';
import { identifyingLabels, type Alert, type AlertFinding } from './alert.js';
import type { AlertDispatcher } from './alert-dispatcher.js';
import type { AlertRule } from './alert-rule.js';
import { AlertTracker } from './alert-tracker.js';
import type { AppObserver } from './app-observer.js';
import type { ObservedApp } from './observed-app.js';

export interface MonitorOptions {
  readonly clock: Clock;
  readonly rules: readonly AlertRule[];
  readonly observer: AppObserver;
  readonly dispatcher: AlertDispatcher;
  readonly emit: (event: DiscoveryEvent) => void;
  readonly warn: (message: string) => void;
  readonly intervalMs: number;
}

const DEFAULT_KEEP_FIRING = '30s';

/** Evaluates the rules every few seconds, and tells what changes. */
export class AlertMonitor {
  readonly #options: MonitorOptions;
  readonly #rules: readonly { readonly rule: AlertRule; readonly tracker: AlertTracker }[];
  readonly #failing = new Set<AlertRule>();
  #cancel: (() => void) | undefined;
  #isClosed = false;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#rules = options.rules.map((rule) => ({
      rule,
      tracker: new AlertTracker({
        name: rule.name,
        severity: rule.severity ?? 'warning',
        forMs: toMilliseconds(rule.for ?? 0, 'for'),
        keepFiringForMs: toMilliseconds(rule.keepFiringFor ?? DEFAULT_KEEP_FIRING, 'keepFiringFor'),
      }),
    }));
  }

  start(): void {
    for (const { watches = [] } of this.#options.rules)
      for (const service of watches) this.#options.observer.watch(service);
    this.#schedule();
  }

  /** What fires now. */
  get firing(): readonly Alert[] {
    return this.#rules.flatMap(({ tracker }) => tracker.firing);
  }

  /** Nothing is evaluated any more: what this app sees while it leaves is no reason for an alert. */
  stop(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    const { clock, intervalMs } = this.#options;
    this.#cancel = clock.after(intervalMs, () => {
      // A timer that throws would end the process, and with it all alerts.
      try {
        this.evaluate();
      } catch (error) {
        this.#options.warn(`alerts cannot be evaluated: ${errorMessage(error)}`);
      }
      if (!this.#isClosed) this.#schedule();
    });
  }

  /** Now, rather than at the next interval. */
  evaluate(): void {
    const { observer, dispatcher, emit } = this.#options;
    const app = observer.observe();
    const changes = this.#rules.flatMap(({ rule, tracker }) => this.#evaluate(rule, tracker, app));
    for (const { name, severity, labels, summary, endsAt } of changes)
      emit({
        type: endsAt === undefined ? 'alert.firing' : 'alert.resolved',
        name,
        severity,
        summary,
        labels: identifyingLabels(name, severity, labels),
      });
    dispatcher.dispatch(changes, this.firing);
  }

  #evaluate(rule: AlertRule, tracker: AlertTracker, app: ObservedApp): readonly Alert[] {
    try {
      const found: unknown = rule.evaluate(app);
      if (found instanceof Promise) {
        found.catch(() => undefined);
        throw new TypeError('evaluate returns a promise; it has to return an array, at once');
      }
      if (!isFindings(found)) throw new TypeError('evaluate has to return an array of { labels, summary }');
      this.#failing.delete(rule);
      return tracker.update(
        found.filter(({ labels }) => labels.service === undefined || !app.inMaintenance.has(labels.service)),
        app.now,
      );
    } catch (error) {
      if (!this.#failing.has(rule))
        this.#options.warn(
          `the alert rule ${rule.name} threw, its alerts stay as they are: ${errorMessage(error)}`,
        );
      this.#failing.add(rule);
      return [];
    }
  }
}

function isFindings(value: unknown): value is readonly AlertFinding[] {
  return (
    Array.isArray(value) &&
    value.every((each: unknown) => {
      const { labels, summary } = (each ?? {}) as Partial<AlertFinding>;
      return typeof summary === 'string' && typeof labels === 'object';
    })
  );
}
