import { isDeepStrictEqual } from 'node:util';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import {
  BehaviorSubject,
  combineLatest,
  filter,
  firstValueFrom,
  map,
  of,
  type Observable,
  type Subscription,
} from 'rxjs';
import { NamesItsModule } from '../errors/provided-by.js';
import { toMilliseconds } from '../configuration/duration.js';
import { DiscoveryError, shutDownError } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import type { DiscoveryEvents } from '../events/discovery-events.js';
import { IsolatedObservable } from '../events/isolated-observable.js';
import type { HealthService } from '../health/health.service.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import { RegistryReachability } from '../registry/registry-reachability.js';
import type { ServiceMesh } from '../certificates/service-mesh.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import { probeTcp } from '../registry/tcp-probe.js';
import { backoffDelay } from '../timing/backoff.js';
import { delay, isAborted, type Clock, type Random } from '../timing/clock.js';
import { checksOf, describeRegistration } from './describe-registration.js';
import { createHeartbeats } from './heartbeat/create-heartbeats.js';
import { toHealthReport, type HealthReport } from './heartbeat/health-report.js';
import type { AppServers } from './location/app-servers.js';
import { checkReachable, locateInstance, type LocatedInstance } from './location/locate-instance.js';
import type { CheckOptions, TtlCheckOptions } from './options/check-options.js';
import type { ServiceOptions } from './options/service-options.js';
import { Registrar } from './registrar.js';
import {
  worstRegistration,
  type InstanceRegistrationStatus,
  type RegistrationStatus,
} from './registration-status.js';
import { leaveFirst } from './shutdown/leave-first.js';
import { RequestTracker } from './shutdown/request-tracker.js';
import { drain, runShutdown, type ShutdownBudget } from './shutdown/shutdown-sequence.js';
import { onShutdownSignal } from './shutdown/shutdown-signals.js';

const START_BACKOFF = { base: 1_000, cap: 30_000 };

export interface RegistrationOptions {
  readonly mesh?: Pick<ServiceMesh, 'checkPort'> | undefined;
  /** Empty: discover only. */
  readonly services: readonly ServiceOptions[];
  /** Besides the registry of the app. */
  readonly alsoRegister: readonly ServiceRegistry[];
  readonly healthPath: string;
  /** The global prefix of the app's routes; empty: none. */
  readonly globalPrefix: () => string;
  readonly startup: 'background' | 'fail-fast';
  readonly shutdown: ShutdownBudget & {
    readonly deregisterTimeoutMs: number;
    /** False: the registry keeps the registration when the app ends. */
    readonly deregister: boolean;
  };
  /** The address and zone of this process, from the environment. */
  readonly environment: { readonly address: string | undefined; readonly zone: string | undefined };
  readonly clock: Clock;
  readonly random: Random;
  readonly reconnectSignal: ReconnectSignal;
  readonly reachability: RegistryReachability;
  readonly events: DiscoveryEvents;
  /** The app begins to shut down. */
  readonly onLeaving: () => void;
}

/** A service of the app in one registry. */
interface OwnService {
  readonly options: ServiceOptions;
  readonly registry: ServiceRegistry;
  /** Undefined until the service is registered for the first time. */
  registrar: Registrar | undefined;
  /** Why it is in maintenance; undefined when it is not. */
  maintenance: string | undefined;
}

/** RFC 1123, 2.1. */
const DNS_LABEL = /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i;
const SHUTTING_DOWN = 'the app is shutting down';
const DRAINED = 'the app is drained';
/** Longer than the registry's own deadline, whose error is more precise. */
const FAIL_FAST_TIMEOUT_MS = 15_000;

/**
 * The registration of this app: each of its services is registered once it listens and is ready, repaired whenever the
 * registry holds something else, and deregistered on SIGTERM, SIGINT and `app.close()`.
 *
 * @example
 * ```ts
 * registration.status$.subscribe(({ state }) => console.log(state));   // pending, registered
 * await registration.setMaintenance(true, 'migrating the database');   // takes no calls, but stays registered
 * await registration.setMaintenance(false, undefined, { service: 'orders' });
 * await registration.drain();                                          // deregistered, and no longer called
 * await registration.register();                                       // and back
 * ```
 */
@Injectable()
@NamesItsModule()
export class RegistrationService implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  readonly #logger = new Logger('RegistrationService');
  readonly #registry: ServiceRegistry;
  readonly #servers: AppServers;
  readonly #health: HealthService;
  readonly #options: RegistrationOptions;
  readonly #status = new BehaviorSubject<RegistrationStatus>(worstRegistration([]));
  readonly #isolatedStatus = new IsolatedObservable(this.#status, (thrown) =>
    this.#logger.error(`A subscriber of the registration's status threw: ${errorMessage(thrown)}`),
  );
  readonly #services: readonly OwnService[];
  readonly #closing = new AbortController();
  readonly #releases: (() => void)[] = [];
  readonly #beforeLeaving: (() => Promise<void>)[] = [];
  #statusSubscription: Subscription | undefined;
  #requests: RequestTracker | undefined;
  /** The last command; commands run one after the other. */
  #lastCommand: Promise<void> = Promise.resolve();
  #leaving: Promise<void> | undefined;

  constructor(
    registry: ServiceRegistry,
    servers: AppServers,
    health: HealthService,
    options: RegistrationOptions,
  ) {
    this.#registry = registry;
    this.#servers = servers;
    this.#health = health;
    this.#options = options;
    this.#services = [registry, ...options.alsoRegister].flatMap((each) =>
      options.services.map((service) => ({
        options: service,
        registry: each,
        registrar: undefined,
        maintenance: undefined,
      })),
    );
  }

  /** The current status at once, then each change. An error that a subscriber throws is logged, and it is called again with the next one. */
  get status$(): Observable<RegistrationStatus> {
    return this.#isolatedStatus;
  }

  get status(): RegistrationStatus {
    return this.#status.value;
  }

  /** Aborts when the app begins to shut down, before its registration is removed and anything of it is closed. */
  get shutdownSignal(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * The first service of this app, as it is, or was, registered; `id` and `port` are there from then on. Without `address` it is at that of the
   * registry's node.
   */
  get instance(): {
    readonly service?: string;
    readonly id?: string;
    readonly address?: string;
    readonly port?: number;
  } {
    const [first] = this.#services;
    if (!first) return {};
    const service = first.options.name;
    if (!first.registrar) return { service };
    const { id, location } = first.registrar;
    const { address, port } = location;
    return { service, id, ...(address === undefined ? {} : { address }), port };
  }

  /** Adds work to be done before the app is deregistered, each time; it is waited for. @internal */
  beforeLeaving(work: () => Promise<void>): void {
    this.#beforeLeaving.push(work);
  }

  /** Whether a service of this app is, or was, registered at an address, `host:port`. @internal */
  isAdvertised(address: string): boolean {
    return this.#services.some(({ registrar }) => registrar?.address === address);
  }

  /**
   * Registers the app: again, after `deregister()` or `drain()`, or for the first time with `register: 'manual'`. Resolves
   * when registration has begun; `status$` has the outcome. It begins once the app listens: a lifecycle hook, which Nest waits for before that, must not
   * wait for it.
   *
   * @throws DiscoveryError `RK_SHUT_DOWN` after `app.close()`
   */
  async register(): Promise<void> {
    if (this.#closing.signal.aborted) throw shutDownError();
    await this.#enqueue(async () => {
      this.#health.markReady();
      this.#requests?.resume();
      await Promise.all(this.#services.map((service) => this.#start(service)));
    });
  }

  /** Deregisters the app until `register()`; bounded by `shutdown.deregisterTimeout`, and never rejects. */
  async deregister(): Promise<void> {
    await this.#enqueue(() => this.#stopAll());
  }

  /**
   * Resolves when every service that the app has a server for is registered; for a test, or an app that waits for it.
   *
   * @throws DiscoveryError `RK_SHUT_DOWN` when the app is closed first; `RK_CONFIG_INVALID` when it has nothing to register, as an
   *   application context
   */
  async whenRegistered(): Promise<void> {
    const expected = this.#preferred.filter(
      ({ options }) => this.#servers.missingServer(options) === undefined,
    );
    if (expected.length === 0) throw this.#nothingToRegister();
    const isDone = ({ instances }: RegistrationStatus): boolean =>
      instances.filter(({ state }) => state === 'registered').length >= expected.length;
    const done = await firstValueFrom(this.#status.pipe(filter(isDone)), { defaultValue: undefined });
    if (!done) throw shutDownError();
  }

  /**
   * Deregisters the app, fails its readiness, closes its keep-alive connections, and waits until no more requests arrive.
   * Requests are still answered; `register()` undoes it.
   */
  async drain(): Promise<void> {
    const { shutdown, clock } = this.#options;
    await this.#enqueue(async () => {
      await this.#stopAll();
      this.#health.markNotReady(DRAINED);
      this.#requests?.drain();
      await drain(this.#requests, shutdown.drainMs, clock, this.#logger, this.#closing.signal);
    });
  }

  /**
   * Puts the app into maintenance, or ends it: it takes no calls while it stays registered, and others see it in status
   * *maintenance*. It is restored after a loss of the registration.
   *
   * @param options.service only this one of the app's services. Default: all of them
   * @throws DiscoveryError when the registry does not answer now; it is updated as soon as it does. `RK_INVALID_ARGUMENT` for a
   *   service that the app does not register
   */
  async setMaintenance(
    on: boolean,
    reason = 'maintenance',
    { service }: { readonly service?: string } = {},
  ): Promise<void> {
    const chosen = this.#services.filter(({ options }) => service === undefined || options.name === service);
    if (chosen.length === 0)
      throw service === undefined ? this.#nothingToRegister() : this.#unknownService(service);
    const { signal } = this.#closing;
    this.#options.events.emit(
      on ? { type: 'maintenance.started', service, reason } : { type: 'maintenance.ended', service },
    );
    for (const own of chosen) own.maintenance = on ? reason : undefined;
    await Promise.all(
      chosen.flatMap(({ registrar, maintenance }) => registrar?.setMaintenance(maintenance, signal) ?? []),
    );
  }

  /** @throws DiscoveryError with `startup: 'fail-fast'`, when the registry does not answer or refuses the token */
  async onApplicationBootstrap(): Promise<void> {
    if (this.#options.startup === 'fail-fast') await this.#assertRegistry();
    if (this.#services.length === 0) return;
    this.#releases.push(
      onShutdownSignal(() => this.#leave()),
      ...leaveFirst(this.#servers, () => this.#leave()),
    );
    for (const service of this.#services) {
      const { name, register } = service.options;
      if (!DNS_LABEL.test(name) && service.registry === this.#registry)
        this.#logger.warn(
          `service.name = ${JSON.stringify(name)}: DNS cannot find it, and neither can other tools that look it up there; ` +
            'use up to 63 letters, digits and hyphens',
        );
      const missing = this.#servers.missingServer(service.options);
      this.#trackRequests(service.options);
      if (missing !== undefined) this.#logger.warn(`"${name}" is not registered: ${missing}`);
      else if (register !== 'manual') this.#startInBackground(service);
    }
  }

  async onModuleDestroy(): Promise<void> {
    await this.#leave();
  }

  onApplicationShutdown(): void {
    for (const release of this.#releases.splice(0)) release();
    this.#requests?.release();
    this.#statusSubscription?.unsubscribe();
    this.#status.complete();
    this.#options.events.close();
  }

  /** In the registry of the app. */
  get #preferred(): readonly OwnService[] {
    return this.#services.filter(({ registry }) => registry === this.#registry);
  }

  #nothingToRegister(): DiscoveryError {
    const reasons = this.#preferred.map(
      ({ options }) => `"${options.name}": ${this.#servers.missingServer(options) ?? 'unknown'}`,
    );
    return new DiscoveryError('RK_CONFIG_INVALID', 'this app has nothing to register', {
      hint: reasons.length > 0 ? reasons.join('; ') : 'Set service.name: without it the app only discovers',
    });
  }

  #unknownService(service: string): DiscoveryError {
    const names = this.#preferred.map(({ options }) => `"${options.name}"`);
    return new DiscoveryError('RK_INVALID_ARGUMENT', `service: this app does not register "${service}"`, {
      hint: names.length > 0 ? `It registers ${names.join(', ')}` : 'It registers nothing',
    });
  }

  async #assertRegistry(): Promise<void> {
    const signal = AbortSignal.timeout(FAIL_FAST_TIMEOUT_MS);
    // `ping` shows whether it answers; `services`, whether it accepts the token.
    await this.#registry.ping(signal);
    await this.#registry.services(signal);
  }

  /** Before the app listens: a request or a connection that came first would not be waited for. */
  #trackRequests(service: ServiceOptions): void {
    const { clock, healthPath } = this.#options;
    const server = this.#servers.httpServer(service);
    if (server) this.#requests ??= new RequestTracker(server, clock, (url) => isBelow(url, healthPath));
  }

  /** Runs overlapping commands one after the other, so that the last one decides. */
  #enqueue(command: () => Promise<void>): Promise<void> {
    const result = this.#lastCommand.then(command);
    this.#lastCommand = result.catch(() => undefined);
    return result;
  }

  #startInBackground(service: OwnService): void {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    const { name, registrationDelay } = service.options;
    const start = async (): Promise<void> => {
      await this.#servers.untilListening(service.options, signal);
      if (registrationDelay !== undefined)
        await delay(clock, toMilliseconds(registrationDelay, 'service.registrationDelay'), signal);
      await this.#startUntilItDoes(service, signal);
    };
    start().catch((error: unknown) => {
      if (!signal.aborted) this.#logger.error(`cannot register "${name}": ${errorMessage(error)}`);
    });
  }

  /** What is in the way may go: a port of a mesh's checks that an earlier process still has. */
  async #startUntilItDoes(service: OwnService, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#enqueue(() => this.#start(service));
        return;
      } catch (error) {
        const isLasting = error instanceof DiscoveryError && error.code === 'RK_CONFIG_INVALID';
        if (isAborted(signal) || isLasting) throw error;
        if (failures === 1)
          this.#logger.error(`cannot register "${service.options.name}", retrying: ${errorMessage(error)}`);
        await delay(clock, backoffDelay(failures, START_BACKOFF, random), signal);
      }
    }
  }

  async #start(service: OwnService): Promise<void> {
    service.registrar ??= await this.#createRegistrar(service);
    if (service.registrar && !this.#closing.signal.aborted) service.registrar.start();
    this.#statusSubscription?.unsubscribe();
    const idle = { state: 'idle', id: undefined, reason: undefined } as const;
    // What there is besides the registry of the app tells of itself in the log.
    const statuses: Observable<InstanceRegistrationStatus>[] = this.#preferred.map(
      ({ registrar, options }) => registrar?.status$ ?? of({ ...idle, service: options.name }),
    );
    this.#statusSubscription = combineLatest(statuses)
      .pipe(map(worstRegistration))
      .subscribe((status) => {
        if (!isDeepStrictEqual(status, this.#status.value)) this.#status.next(status);
      });
  }

  async #stopAll(): Promise<void> {
    const isKept = this.#closing.signal.aborted && !this.#options.shutdown.deregister;
    await Promise.allSettled(this.#beforeLeaving.map((work) => work()));
    const registrars = this.#services.flatMap(({ registrar }) => registrar ?? []);
    await Promise.all(
      registrars.map((registrar) => (isKept ? registrar.stopWithoutDeregistering() : registrar.stop())),
    );
  }

  /** For good: the app is shutting down. */
  #leave(): Promise<void> {
    this.#leaving ??= this.#shutDown();
    return this.#leaving;
  }

  async #shutDown(): Promise<void> {
    this.#closing.abort(new Error(SHUTTING_DOWN));
    this.#options.onLeaving();
    const { shutdown, clock } = this.#options;
    const steps = {
      deregister: () => this.deregister(),
      markNotReady: () => this.#health.markNotReady(SHUTTING_DOWN),
      requests: this.#requests,
      isKnown: this.#services.some(({ registrar }) => registrar?.wasKnownWithin(shutdown.drainMs)),
    };
    await runShutdown(steps, shutdown, clock, this.#logger);
  }

  async #createRegistrar(own: OwnService): Promise<Registrar | undefined> {
    const service = own.options;
    const { clock, healthPath, globalPrefix, environment, events, random, shutdown } = this.#options;
    const { registry } = own;
    const { reconnectSignal, reachability } = this.#outageOf(registry);
    const logger = this.#logger;
    const server = await this.#servers.untilListening(service, this.#closing.signal);
    if (!server) {
      const reason = 'its port is unknown; it may listen on a Unix domain socket: set service.port';
      logger.warn(`"${service.name}" is not registered: ${reason}`);
      return undefined;
    }
    const location = {
      registry,
      mesh: this.#options.mesh,
      healthPath,
      globalPrefix: globalPrefix(),
      environment,
      clock,
      logger,
    };
    const listening = await locateInstance(service, server, location);
    const health = async (): Promise<HealthReport> => toHealthReport(await this.#health.check());
    const ttlCheck = checksOf(service, listening).find(isTtl);
    const heartbeatOptions = { clock, random, health, reconnectSignal, logger };
    const registrar = new Registrar(registry, describeRegistration(service, listening), {
      clock,
      random,
      events,
      reconnectSignal,
      reachability,
      health,
      deregisterTimeoutMs: shutdown.deregisterTimeoutMs,
      heartbeats: createHeartbeats(registry, ttlCheck, heartbeatOptions),
      isReachable: async (address = registry.host ?? '127.0.0.1', port) =>
        (await probeTcp(address, port)).result === 'reachable',
    });
    const others = this.#services.filter((other) => other.registry === registry);
    if (others.some((other) => other.registrar?.id === registrar.id)) {
      logger.error(
        `"${service.name}" is not registered: another service of this app has the id "${registrar.id}", too; ` +
          'give each an id, a port or a transport of its own',
      );
      return undefined;
    }
    // It may have been set while the server was waited for.
    if (own.maintenance !== undefined) await registrar.setMaintenance(own.maintenance, this.#closing.signal);
    this.#checkOnceRegistered(registrar, registry, { id: registrar.id, service, listening, server });
    return registrar;
  }

  /** Each registry is away for itself; that of the app is also watched by its lookups. */
  #outageOf(registry: ServiceRegistry): Pick<RegistrationOptions, 'reconnectSignal' | 'reachability'> {
    if (registry === this.#registry) return this.#options;
    const silent = { onUnreachable: () => undefined, onReachable: () => undefined };
    return {
      reconnectSignal: new ReconnectSignal(),
      reachability: new RegistryReachability(this.#options.clock, silent),
    };
  }

  #checkOnceRegistered(registrar: Registrar, registry: ServiceRegistry, instance: LocatedInstance): void {
    const subscription = registrar.status$.subscribe(({ state }) => {
      if (state !== 'registered') return;
      queueMicrotask(() => subscription.unsubscribe());
      // It only warns: without a response of the registry there is nothing to say.
      checkReachable(instance, registry, this.#logger, this.#closing.signal).catch(() => undefined);
    });
    this.#releases.push(() => subscription.unsubscribe());
  }
}

/** The path itself, or a path below it; not one that only begins alike. */
function isBelow(url: string, path: string): boolean {
  const [pathname = ''] = url.split('?');
  return pathname === path || pathname.startsWith(`${path}/`);
}

function isTtl(check: CheckOptions): check is TtlCheckOptions {
  return check.type === 'ttl';
}
