import {
  Inject,
  Logger,
  Module,
  Optional,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { toMilliseconds } from '../configuration/duration.js';
import { invalidConfigError } from '../configuration/validate-options.js';
import { discoveryTools } from '../discovery-tools.js';
import { DiscoveryService } from '../discovery.service.js';
import { DiscoveryEvents } from '../events/discovery-events.js';
import { DiscoverySections } from '../introspection/discovery-sections.js';
import { RegistrationService } from '../registration/registration.service.js';
import { systemClock } from '../timing/clock.js';
import type { Alert } from './alert.js';
import { AlertDispatcher } from './alert-dispatcher.js';
import { AlertMonitor } from './alert-monitor.js';
import { AlertClaims } from './alert-sink.js';
import {
  alertsOptionIssues,
  isOwnRule,
  type AlertsAsyncOptions,
  type AlertsOptions,
} from './alerts-options.js';
import { AppObserver } from './app-observer.js';
import { createRule } from './rules/create-rule.js';

const ALERTS_OPTIONS = Symbol.for('rookery:alerts-options');
const CLOSE_WITHIN_MS = 3_000;
const SETTLE_MS = 60_000;

/**
 * Alerts when a service fails, as this app sees it.
 *
 * @example
 * ```ts
 * AlertsModule.forRoot({
 *   rules: [
 *     { type: 'instances', service: 'inventory', atLeast: 2, for: '30s' },
 *     { type: 'errors', above: 0.05 },
 *     { type: 'registration' },
 *   ],
 *   sinks: [alertmanagerSink({ url: 'http://alertmanager:9093' })],
 * });
 * ```
 */
@Module({})
export class AlertsModule implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  readonly #logger = new Logger('Alerts');
  readonly #monitor: AlertMonitor;
  readonly #observer: AppObserver;
  readonly #dispatcher: AlertDispatcher;

  constructor(
    @Inject(ALERTS_OPTIONS) options: AlertsOptions,
    discovery: DiscoveryService,
    registration: RegistrationService,
    events: DiscoveryEvents,
    sections: DiscoverySections,
    @Optional() @Inject(AlertClaims) claims: AlertClaims | undefined,
  ) {
    const issues = alertsOptionIssues(options);
    if (issues.length > 0) throw invalidConfigError('AlertsModule', issues);
    const { caller, catalog } = discoveryTools(discovery, 'AlertsModule');
    const { rules, sinks = [], interval = '5s', groupWait = '1s', queue = 1_000 } = options;
    const warn = (message: string): void => this.#logger.warn(message);
    const emit: DiscoveryEvents['emit'] = (event) => events.emit(event);
    this.#observer = new AppObserver({ events, catalog, caller, registration, now: steadyNow() });
    this.#dispatcher = new AlertDispatcher({
      clock: systemClock,
      random: Math.random,
      emit,
      warn,
      groupWaitMs: toMilliseconds(groupWait, 'groupWait'),
      queue,
      sinks,
      claims,
      app: registration.instance.service,
      settleMs: SETTLE_MS + 2 * toMilliseconds(interval, 'interval'),
    });
    this.#monitor = new AlertMonitor({
      clock: systemClock,
      rules: rules.map((rule) => (isOwnRule(rule) ? rule : createRule(rule))),
      observer: this.#observer,
      dispatcher: this.#dispatcher,
      emit,
      warn,
      intervalMs: toMilliseconds(interval, 'interval'),
    });
    registration.shutdownSignal.addEventListener('abort', () => this.#monitor.stop(), { once: true });
    sections.add('alerts', () => ({ firing: this.firing, waiting: this.#dispatcher.waiting }));
  }

  /** @throws DiscoveryError `RK_CONFIG_INVALID` when the app is created, with every wrong option, its value and a hint */
  static forRoot(options: AlertsOptions): DynamicModule {
    return assemble({ useFactory: () => options });
  }

  /** Options that depend on other providers. */
  static forRootAsync(options: AlertsAsyncOptions): DynamicModule {
    return assemble(options);
  }

  /** The alerts that fire now. */
  get firing(): readonly Alert[] {
    return this.#monitor.firing;
  }

  onApplicationBootstrap(): void {
    this.#monitor.start();
  }

  onModuleDestroy(): void {
    this.#monitor.stop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#monitor.stop();
    this.#observer.close();
    await this.#dispatcher.close(CLOSE_WITHIN_MS);
  }
}

/** Milliseconds since 1970 that a step of the clock does not change: rules measure durations by it. */
function steadyNow(): () => number {
  const origin = Date.now() - systemClock.now();
  return () => origin + systemClock.now();
}

function assemble({ imports = [], inject = [], useFactory }: AlertsAsyncOptions): DynamicModule {
  const factory = useFactory as FactoryProvider['useFactory'];
  return {
    module: AlertsModule,
    global: true,
    imports,
    providers: [{ provide: ALERTS_OPTIONS, useFactory: factory, inject }],
  };
}
