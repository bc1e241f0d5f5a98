import { toMilliseconds, type Duration } from '../../configuration/duration.js';
import type { AlertFinding, AlertSeverity } from '../alert.js';
import type { AlertRule } from '../alert-rule.js';
import type { ObservedApp, ObservedService } from '../observed-app.js';
import type {
  AlertRuleOptions,
  ErrorsRuleOptions,
  FlappingRuleOptions,
  InstancesRuleOptions,
  LatencyRuleOptions,
  ListAgeRuleOptions,
  NeverPassedRuleOptions,
} from './rule-options.js';

type Type = AlertRuleOptions['type'];

/** The defaults of each rule. */
const DEFAULTS: Readonly<Record<Type, { name: string; severity: AlertSeverity; for: Duration }>> = {
  instances: { name: 'RookeryTooFewInstances', severity: 'critical', for: '30s' },
  flapping: { name: 'RookeryInstanceFlapping', severity: 'warning', for: 0 },
  'never-passed': { name: 'RookeryCheckNeverPassed', severity: 'warning', for: '2m' },
  errors: { name: 'RookeryCallsFailing', severity: 'critical', for: '1m' },
  latency: { name: 'RookeryCallsSlow', severity: 'warning', for: '2m' },
  'list-age': { name: 'RookeryListOutdated', severity: 'warning', for: 0 },
  registration: { name: 'RookeryNotRegistered', severity: 'critical', for: '1m' },
  config: { name: 'RookeryConfigRejected', severity: 'warning', for: 0 },
  lock: { name: 'RookeryLockHeldTooLong', severity: 'warning', for: 0 },
};

/** The rule that these options describe. */
export function createRule(options: AlertRuleOptions): AlertRule {
  const defaults = DEFAULTS[options.type];
  const watched = 'service' in options && options.service !== undefined ? { watches: [options.service] } : {};
  return {
    name: options.name ?? defaults.name,
    severity: options.severity ?? defaults.severity,
    for: options.for ?? defaults.for,
    ...(options.keepFiringFor === undefined ? {} : { keepFiringFor: options.keepFiringFor }),
    ...watched,
    evaluate: evaluator(options),
  };
}

type Evaluate = (app: ObservedApp) => readonly AlertFinding[];

function evaluator(options: AlertRuleOptions): Evaluate {
  switch (options.type) {
    case 'instances':
      return tooFewInstances(options);
    case 'flapping':
      return flapping(options);
    case 'never-passed':
      return neverPassed(options);
    case 'errors':
      return failingCalls(options);
    case 'latency':
      return slowCalls(options);
    case 'list-age':
      return outdatedLists(options);
    case 'registration':
      return notRegistered;
    case 'config':
      return rejectedConfig;
    case 'lock':
      return overdueLocks;
  }
}

function selected({ services }: ObservedApp, service: string | undefined): readonly ObservedService[] {
  return service === undefined ? services : services.filter(({ name }) => name === service);
}

function tooFewInstances({ service, atLeast = 1, deployGrace = '2m' }: InstancesRuleOptions): Evaluate {
  const graceMs = toMilliseconds(deployGrace, 'deployGrace');
  return (app) =>
    selected(app, service).flatMap(({ name, instances, departures }) => {
      // Without a list nothing is known: the age of lists has a rule of its own.
      if (!instances) return [];
      const healthy = instances.filter(({ instance }) => isHealthy(instance.status)).length;
      const maintained = instances.filter(({ instance }) => instance.status === 'maintenance').length;
      const leaving = departures.filter((at) => app.now - at < graceMs).length;
      if (healthy + maintained + leaving >= atLeast) return [];
      const failing = instances.filter(({ instance }) => instance.status === 'critical');
      const critical = failing.map(
        ({ instance, since }) => `${instance.id}, critical for ${duration(app.now - since)}`,
      );
      return {
        labels: { service: name },
        summary: `"${name}" has ${healthy} healthy ${healthy === 1 ? 'instance' : 'instances'}, at least ${atLeast} are wanted`,
        description: critical.length > 0 ? `Not healthy: ${list(critical)}` : 'No others are listed',
      };
    });
}

function flapping({ service, changes = 6, within = '10m' }: FlappingRuleOptions): Evaluate {
  const withinMs = toMilliseconds(within, 'within');
  return (app) =>
    selected(app, service).flatMap(({ name, instances = [] }) =>
      instances.flatMap(({ instance, changes: times }) => {
        const recent = times.filter((at) => app.now - at < withinMs).length;
        if (recent < changes) return [];
        return {
          labels: { service: name, instance: instance.id },
          summary: `${instance.id} of "${name}" changed its status ${recent} times in ${duration(withinMs)}`,
          description: `It is ${instance.status} now, at ${instance.address}:${instance.port}`,
        };
      }),
    );
}

function neverPassed({ service }: NeverPassedRuleOptions): Evaluate {
  return (app) =>
    selected(app, service).flatMap(({ name, instances = [] }) =>
      instances
        .filter(({ instance, hasPassed }) => instance.status === 'critical' && !hasPassed)
        .map(({ instance, knownSince }) => ({
          labels: { service: name, instance: instance.id },
          summary: `the checks of ${instance.id} of "${name}" have never passed`,
          description: `It is listed at ${instance.address}:${instance.port}, and was not passing once in ${duration(app.now - knownSince)}. Can the agent reach it there?`,
        })),
    );
}

function failingCalls({
  service,
  above = 0.05,
  minimumCalls = 20,
  within = '1m',
}: ErrorsRuleOptions): Evaluate {
  const withinMs = toMilliseconds(within, 'within');
  return (app) =>
    selected(app, service).flatMap(({ name, calls }) => {
      const rates = calls(withinMs);
      if (!rates || rates.calls < minimumCalls || rates.failed <= above * rates.calls) return [];
      const percent = Math.round((rates.failed / rates.calls) * 1_000) / 10;
      return {
        labels: { service: name, ...ofApp(app) },
        summary: `${percent} % of the calls to "${name}" fail`,
        description: `${rates.failed} of ${rates.calls} calls of this app failed in ${duration(withinMs)}, after all their attempts`,
      };
    });
}

function slowCalls({
  service,
  quantile = 0.99,
  above,
  minimumCalls = 20,
  within = '1m',
}: LatencyRuleOptions): Evaluate {
  const withinMs = toMilliseconds(within, 'within');
  const aboveMs = toMilliseconds(above, 'above');
  return (app) =>
    selected(app, service).flatMap(({ name, calls }) => {
      const rates = calls(withinMs);
      const tookMs = rates && rates.calls >= minimumCalls ? rates.quantile(quantile) : undefined;
      if (tookMs === undefined || tookMs <= aboveMs) return [];
      const which = `p${quantile * 100}`;
      return {
        labels: { service: name, ...ofApp(app) },
        summary: `calls to "${name}" take ${Math.round(tookMs)} ms (${which}), more than ${aboveMs} ms`,
        description: `Of ${rates?.calls ?? 0} calls of this app in ${duration(withinMs)}, with all attempts and waits`,
      };
    });
}

function outdatedLists({ service, olderThan = '5m' }: ListAgeRuleOptions): Evaluate {
  const olderThanMs = toMilliseconds(olderThan, 'olderThan');
  return (app) =>
    selected(app, service).flatMap(({ name, ageMs, error }) =>
      ageMs === undefined || ageMs <= olderThanMs
        ? []
        : {
            labels: { service: name, ...ofApp(app) },
            summary: `the list of "${name}" is ${duration(ageMs)} old`,
            description: error ?? 'The registry has not confirmed it since',
          },
    );
}

/** How long a contest is told after it was seen last: repairs are limited to six a minute. */
const CONTEST_MS = 60_000;

function notRegistered({ now, registrations, inMaintenance, contested }: ObservedApp): AlertFinding[] {
  return registrations.flatMap(({ service, id, state, reason }) => {
    if (service === undefined || id === undefined || inMaintenance.has(service)) return [];
    const contestedAt = contested.get(id);
    const isContested = contestedAt !== undefined && now - contestedAt < CONTEST_MS;
    // What the app asked for is no alert.
    const isWrong = state === 'pending' || state === 'unconfirmed';
    if (!isWrong && !isContested) return [];
    return {
      labels: { service, instance: id },
      summary: isContested
        ? `another writer keeps changing the registration of ${id}`
        : `${id} is ${state === 'pending' ? 'not registered' : 'registered, but that cannot be confirmed'}`,
      ...(reason === undefined ? {} : { description: reason }),
    };
  });
}

function rejectedConfig(app: ObservedApp): AlertFinding[] {
  return [...app.rejectedConfig].map(([key, reason]) => ({
    labels: { key, ...ofApp(app) },
    summary: `the configuration in ${key} cannot be used, the last good values stay`,
    description: reason,
  }));
}

function overdueLocks(app: ObservedApp): AlertFinding[] {
  return [...app.overdueLocks].map(([key, since]) => ({
    labels: { lock: key, ...ofApp(app) },
    summary: `the lock ${key} is held for ${duration(app.now - since)}`,
    description: 'That is longer than its warnAfter; others may wait for it',
  }));
}

/** Which app sees it: one app may fail to reach what others do. */
function ofApp({ name }: ObservedApp): { app?: string } {
  return name === undefined ? {} : { app: name };
}

function isHealthy(status: string): boolean {
  return status === 'passing' || status === 'warning';
}

function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

const SHOWN = 5;

function list(items: readonly string[]): string {
  const more = items.length > SHOWN ? `, and ${items.length - SHOWN} more` : '';
  return items.slice(0, SHOWN).join('; ') + more;
}
