import { hostname } from 'node:os';
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
import { shutDown } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/error-message.js';
import type { DiscoveryEvents } from '../events/discovery-events.js';
import type { HealthService } from '../health/health.service.js';
import type { Reachability } from '../registry/reconnect-signal.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import { bounded } from '../timing/with-timeout.js';
import { pause, type Clock, type Random } from '../timing/clock.js';
import { addressTowards, addressWithin, chooseAddress, isLoopback } from './location/advertised-address.js';
import { dial, type AppServers, type ListeningServer } from './location/app-servers.js';
import type { CheckOptions, TtlCheckOptions } from './options/check-options.js';
import { checksOf, describeRegistration, type Listening } from './describe-registration.js';
import { toHealthReport } from './heartbeat/health-report.js';
import { createHeartbeats } from './heartbeat/create-heartbeats.js';
import { Registrar, type RegistrarOptions } from './registrar.js';
import {
  worstRegistration,
  type InstanceRegistrationStatus,
  type RegistrationStatus,
} from './registration-status.js';
import { explainUnreachable, findAdvertised } from './location/self-check.js';
import { ServedRequests } from './shutdown/request-tracker.js';
import type { ServiceOptions } from './options/service-options.js';
import { leaveInOrder, untilQuiet, type ShutdownBudget } from './shutdown/shutdown-sequence.js';
import { onShutdownSignal } from './shutdown/shutdown-signals.js';
import { toMilliseconds } from '../configuration/duration.js';

export interface RegistrationOptions {
  /** Empty: discover only. */
  readonly services: readonly ServiceOptions[];
  readonly healthPath: string;
  readonly startup: 'background' | 'fail-fast';
  readonly shutdown: ShutdownBudget & {
    readonly deregisterTimeout: number;
    /** False: the registry keeps us when the app ends. */
    readonly deregister: boolean;
  };
  /** What the environment says of this process. */
  readonly environment: { readonly address: string | undefined; readonly zone: string | undefined };
  readonly clock: Clock;
  readonly random: Random;
  readonly reachability: Reachability;
  readonly events: DiscoveryEvents;
}

interface Registered {
  readonly options: ServiceOptions;
  registrar: Registrar | undefined;
}

const SHUTTING_DOWN = 'the app is shutting down';
const DRAINING = 'the app is drained';
/** Longer than the registry's own deadline, which says better what is wrong. */
const FAIL_FAST_TIMEOUT_MS = 15_000;
const LOOKUP_TIMEOUT_MS = 2_000;

/**
 * This app's own place in the registry: each of its services is registered once it listens and is ready, repaired
 * whenever the registry has something else, and taken out on SIGTERM, SIGINT and `app.close()`.
 *
 * @example
 * ```ts
 * registration.status$.subscribe(({ state }) => console.log(state));  // waiting, registered
 * await registration.maintenance(true, 'migrating the database');     // out of use, and still registered
 * await registration.drain();                                         // out of the registry, and nobody calls any more
 * await registration.register();                                      // and back
 * ```
 */
@Injectable()
export class RegistrationService implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  readonly #logger = new Logger(RegistrationService.name);
  readonly #registry: ServiceRegistry;
  readonly #servers: AppServers;
  readonly #health: HealthService;
  readonly #options: RegistrationOptions;
  readonly #status = new BehaviorSubject<RegistrationStatus>(worstRegistration([]));
  readonly #registered: readonly Registered[];
  readonly #closing = new AbortController();
  readonly #releases: (() => void)[] = [];
  #status$: Subscription | undefined;
  #requests: ServedRequests | undefined;
  #commands: Promise<void> = Promise.resolve();
  #leaving: Promise<void> | undefined;
  /** For those that are registered later. */
  #maintenance: string | undefined;

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
    this.#registered = options.services.map((each) => ({ options: each, registrar: undefined }));
  }

  /** The present state at once, then each change. */
  get status$(): Observable<RegistrationStatus> {
    return this.#status.asObservable();
  }

  get status(): RegistrationStatus {
    return this.#status.value;
  }

  /**
   * Puts the app into the registry: again, after `deregister()` or `drain()`, or for the first time with
   * `register: 'manual'`. Resolves when that has begun; `status$` tells the outcome.
   *
   * @throws DiscoveryError `RK_SHUT_DOWN` after `app.close()`
   */
  async register(): Promise<void> {
    if (this.#closing.signal.aborted) throw shutDown();
    await this.#inTurn(async () => {
      this.#health.accept();
      this.#requests?.resume();
      await Promise.all(this.#registered.map((each) => this.#start(each)));
    });
  }

  /** Takes the app out of the registry until `register()`; within the deregistration timeout, and never rejects. */
  async deregister(): Promise<void> {
    await this.#inTurn(() => this.#stopAll());
  }

  /**
   * Resolves when every service that this app has a server for is registered; for a test, or an app that waits for it.
   *
   * @throws DiscoveryError `RK_SHUT_DOWN` when the app is closed first
   */
  async untilRegistered(): Promise<void> {
    const expected = this.#registered.filter(({ options }) => this.#servers.missing(options) === undefined);
    if (expected.length === 0) return;
    const isDone = ({ instances }: RegistrationStatus): boolean =>
      instances.filter(({ state }) => state === 'registered').length >= expected.length;
    const done = await firstValueFrom(this.#status.pipe(filter(isDone)), { defaultValue: undefined });
    if (!done) throw shutDown();
  }

  /**
   * Takes the app out of the registry, has its readiness fail and its keep-alive connections closed, and waits until no
   * more requests come. It goes on answering; `register()` undoes it all.
   */
  async drain(): Promise<void> {
    const { shutdown, clock } = this.#options;
    await this.#inTurn(async () => {
      await this.#stopAll();
      this.#health.refuse(DRAINING);
      this.#requests?.drain();
      await untilQuiet(this.#requests, shutdown.drain, clock, this.#logger, this.#closing.signal);
    });
  }

  /**
   * Takes the app out of use, or back, while it stays registered; callers see it in status *maintenance*. It lasts over a
   * loss of the registration.
   *
   * @throws DiscoveryError when the registry cannot be told now; it will be as soon as it can
   */
  async maintenance(on: boolean, reason = 'maintenance'): Promise<void> {
    const { signal } = this.#closing;
    this.#maintenance = on ? reason : undefined;
    this.#logger.log(on ? `in maintenance: ${reason}` : 'maintenance ended');
    const registrars = this.#registered.flatMap(({ registrar }) => registrar ?? []);
    await Promise.all(registrars.map((registrar) => registrar.maintain(this.#maintenance, signal)));
  }

  /** @throws DiscoveryError with `startup: 'fail-fast'`, when the registry does not answer or refuses the token */
  async onApplicationBootstrap(): Promise<void> {
    if (this.#options.startup === 'fail-fast') await this.#assertRegistry();
    if (this.#registered.length === 0) return;
    this.#releases.push(onShutdownSignal(() => this.#leave()));
    this.#leaveBeforeAnythingElse();
    for (const each of this.#registered) {
      const { name, register, registerAfter } = each.options;
      const missing = this.#servers.missing(each.options);
      if (missing !== undefined) this.#logger.warn(`"${name}" is not registered: ${missing}`);
      else if (register !== 'manual') this.#startInBackground(each, registerAfter);
    }
  }

  async onModuleDestroy(): Promise<void> {
    await this.#leave();
  }

  onApplicationShutdown(): void {
    for (const release of this.#releases.splice(0)) release();
    this.#requests?.release();
    this.#status$?.unsubscribe();
    this.#status.complete();
    this.#options.events.close();
  }

  async #assertRegistry(): Promise<void> {
    const signal = AbortSignal.timeout(FAIL_FAST_TIMEOUT_MS);
    // The first says whether it answers; the second, whether it takes our token.
    await this.#registry.ping(signal);
    await this.#registry.services(signal);
  }

  /** Commands that overlap run one after the other, so that the last one is what holds. */
  #inTurn(command: () => Promise<void>): Promise<void> {
    const result = this.#commands.then(command);
    this.#commands = result.catch(() => undefined);
    return result;
  }

  /**
   * Nest runs the destroy hooks of the app's own modules before ours: their databases would be closed under requests
   * that still come. What it does before any hook is to tell its HTTP adapter; a microservice it closes first of all.
   */
  #leaveBeforeAnythingElse(): void {
    const { adapter, microservices } = this.#servers;
    const before = <K extends string>(target: Partial<Record<K, () => unknown>>, method: K): void => {
      const original = target[method];
      const replaced = async (): Promise<unknown> => {
        await this.#leave();
        return original?.call(target);
      };
      Object.assign(target, { [method]: replaced });
      this.#releases.push(() => void Object.assign(target, { [method]: original }));
    };
    if (adapter) before(adapter as Partial<Record<'beforeClose', () => unknown>>, 'beforeClose');
    else for (const each of microservices) before(each, 'close');
  }

  /** What is thrown here has nobody to catch it. */
  #startInBackground(each: Registered, delay: ServiceOptions['registerAfter']): void {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    const start = async (): Promise<void> => {
      await this.#servers.untilListening(each.options, signal);
      if (delay !== undefined) await pause(clock, toMilliseconds(delay, 'service.registerAfter'), signal);
      if (!signal.aborted) await this.#inTurn(() => this.#start(each));
    };
    start().catch((error: unknown) => {
      if (!signal.aborted) this.#logger.error(`cannot register "${each.options.name}": ${reasonOf(error)}`);
    });
  }

  async #start(each: Registered): Promise<void> {
    each.registrar ??= await this.#createRegistrar(each.options);
    if (each.registrar && !this.#closing.signal.aborted) each.registrar.start();
    this.#status$?.unsubscribe();
    const idle = { state: 'idle', id: undefined, reason: undefined } as const;
    const statuses: Observable<InstanceRegistrationStatus>[] = this.#registered.map(
      ({ registrar, options: { name: service } }) => registrar?.status$ ?? of({ ...idle, service }),
    );
    this.#status$ = combineLatest(statuses)
      .pipe(map(worstRegistration))
      .subscribe((status) => {
        if (!isDeepStrictEqual(status, this.#status.value)) this.#status.next(status);
      });
  }

  async #stopAll(): Promise<void> {
    const { deregister } = this.#options.shutdown;
    const isLeaving = this.#closing.signal.aborted;
    const stop = (registrar: Registrar): Promise<void> =>
      isLeaving && !deregister ? registrar.abandon() : registrar.stop();
    await Promise.all(this.#registered.flatMap(({ registrar }) => (registrar ? [stop(registrar)] : [])));
  }

  /** For good: the app is going. */
  #leave(): Promise<void> {
    this.#leaving ??= this.#leaveOnce();
    return this.#leaving;
  }

  async #leaveOnce(): Promise<void> {
    this.#closing.abort(new Error(SHUTTING_DOWN));
    const { shutdown, clock } = this.#options;
    const isKnown = this.#registered.some(({ registrar }) => registrar?.wasKnownWithin(shutdown.drain));
    const steps = {
      deregister: () => this.deregister(),
      refuse: () => this.#health.refuse(SHUTTING_DOWN),
      requests: this.#requests,
      isKnown,
    };
    await leaveInOrder(steps, shutdown, clock, this.#logger);
  }

  async #createRegistrar(service: ServiceOptions): Promise<Registrar | undefined> {
    const server = await this.#servers.untilListening(service, this.#closing.signal);
    if (!server) {
      const why = 'the port it listens on cannot be told; it may listen on a socket file: set service.port';
      this.#logger.warn(`"${service.name}" is not registered: ${why}`);
      return undefined;
    }
    const { clock, healthPath, events, random, reachability, shutdown } = this.#options;
    const isProbe = (url: string): boolean => isBelow(url, healthPath);
    if (server.http) this.#requests ??= new ServedRequests(server.http, clock, isProbe);
    const listening = await this.#locate(service, server);
    const health: RegistrarOptions['health'] = async () => toHealthReport(await this.#health.check());
    const heartbeat = checksOf(service, listening).find(isTtl);
    const registryHost = this.#registry.host ?? '127.0.0.1';
    const registrar = new Registrar(
      this.#registry,
      (state) => describeRegistration(service, listening, state),
      {
        clock,
        random,
        events,
        reachability,
        health,
        logger: this.#logger,
        deregisterTimeout: shutdown.deregisterTimeout,
        heartbeats: createHeartbeats(this.#registry, heartbeat, {
          clock,
          random,
          health,
          reachability,
          logger: this.#logger,
        }),
        answersAt: async (address, port) => (await dial(address ?? registryHost, port)) === undefined,
      },
    );
    if (this.#registered.some((other) => other.registrar?.id === registrar.id)) {
      this.#logger.error(
        `"${service.name}" is not registered: another service of this app has the id "${registrar.id}" too; ` +
          'give each an id, a port or a transport of its own',
      );
      return undefined;
    }
    if (this.#maintenance !== undefined) await registrar.maintain(this.#maintenance, this.#closing.signal);
    this.#checkSelfOnce(registrar, service, listening, server);
    return registrar;
  }

  async #locate(service: ServiceOptions, server: ListeningServer): Promise<Listening> {
    const { environment, healthPath } = this.#options;
    const registryHost = this.#registry.host;
    const option = service.address ?? environment.address;
    const advertised = chooseAddress({
      option,
      preferred: addressWithin(service.preferredNetworks ?? []),
      bound: server.host,
      registryHost,
      registryKnowsNodeAddress: this.#registry.knowsNodeAddress,
      towardsRegistry:
        registryHost === undefined
          ? undefined
          : await bounded(
              this.#options.clock,
              LOOKUP_TIMEOUT_MS,
              addressTowards(registryHost),
              () => new Error('no answer'),
            ).catch(() => undefined),
    });
    if (server.host !== undefined && isLoopback(server.host) && option === undefined) {
      this.#logger.warn(
        `"${service.name}" listens on ${server.host} only, which no other host can reach. ` +
          "Listen on all interfaces, app.listen(port, '0.0.0.0'), or set service.address",
      );
    }
    return {
      ...advertised,
      port: server.port,
      secure: server.secure,
      hostName: hostname(),
      healthPath,
      hasHealthPath: server.http !== undefined,
      zone: environment.zone,
    };
  }

  /** When it is first registered: whether what others are given leads to us. It is a warning, never an obstacle. */
  #checkSelfOnce(
    registrar: Registrar,
    service: ServiceOptions,
    listening: Listening,
    server: ListeningServer,
  ): void {
    const watching = registrar.status$.subscribe(({ state }) => {
      if (state !== 'registered') return;
      queueMicrotask(() => watching.unsubscribe());
      const check = async (): Promise<void> => {
        const port = service.port ?? server.port;
        const address =
          listening.address ??
          (await findAdvertised(this.#registry, service.name, registrar.id, this.#closing.signal));
        const mistake = address && (await explainUnreachable(address, port, server.connections));
        if (mistake && !this.#closing.signal.aborted)
          this.#logger.warn(`others cannot reach "${registrar.id}": ${mistake}`);
      };
      // The registry may fail to answer: then there is nothing to say.
      check().catch(() => undefined);
    });
    this.#releases.push(() => watching.unsubscribe());
  }
}

/** The path itself, or one below it; not one that merely begins alike. */
function isBelow(url: string, path: string): boolean {
  const [asked = ''] = url.split('?');
  return asked === path || asked.startsWith(`${path}/`);
}

function isTtl(check: CheckOptions): check is TtlCheckOptions {
  return check.type === 'ttl';
}
