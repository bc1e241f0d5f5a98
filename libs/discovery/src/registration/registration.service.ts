import { hostname } from 'node:os';
import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { HttpAdapterHost, type AbstractHttpAdapter } from '@nestjs/core';
import { BehaviorSubject, type Observable, type Subscription } from 'rxjs';
import type { HealthService } from '../health/health.service.js';
import { reasonOf } from '../errors/reason-of.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import type { Clock, Random } from '../timing/clock.js';
import { addressTowards, chooseAddress, isLoopback } from './advertised-address.js';
import { describeRegistration, type Listening } from './describe-registration.js';
import { Registrar } from './registrar.js';
import type { ServiceOptions } from './registration-options.js';
import type { RegistrationStatus } from './registration-status.js';
import { onShutdownSignal } from './shutdown-signals.js';

export interface RegistrationOptions {
  /** Undefined: discover only. */
  readonly service: ServiceOptions | undefined;
  readonly healthPath: string;
  readonly deregisterTimeout: number;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * This app's own place in the registry: it is registered once it listens and is ready, and taken out on SIGTERM, SIGINT
 * and `app.close()`.
 *
 * @example
 * ```ts
 * registration.status$.subscribe(({ state }) => console.log(state)); // waiting, registered
 * await registration.deregister();                                   // out of the registry; the app goes on
 * await registration.register();                                     // and back
 * ```
 */
@Injectable()
export class RegistrationService implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  readonly #logger = new Logger(RegistrationService.name);
  readonly #status = new BehaviorSubject<RegistrationStatus>({
    state: 'idle',
    id: undefined,
    reason: undefined,
  });
  readonly #subscriptions: Subscription[] = [];
  readonly #registry: ServiceRegistry;
  readonly #host: HttpAdapterHost<AbstractHttpAdapter<Server>>;
  readonly #health: HealthService;
  readonly #options: RegistrationOptions;
  #registrar: Registrar | undefined;
  #starting: Promise<void> | undefined;
  #leaving = false;
  #releaseSignals: () => void = () => undefined;

  constructor(
    registry: ServiceRegistry,
    host: HttpAdapterHost<AbstractHttpAdapter<Server>>,
    health: HealthService,
    options: RegistrationOptions,
  ) {
    this.#registry = registry;
    this.#host = host;
    this.#health = health;
    this.#options = options;
  }

  /** The present state at once, then each change. */
  get status$(): Observable<RegistrationStatus> {
    return this.#status.asObservable();
  }

  /** Puts the app into the registry again after `deregister()`. Resolves at once; `status$` tells the outcome. */
  async register(): Promise<void> {
    this.#leaving = false;
    await this.#start();
  }

  /** Takes the app out of the registry until `register()`; within the deregistration timeout, and never rejects. */
  async deregister(): Promise<void> {
    this.#leaving = true;
    await this.#starting;
    await this.#registrar?.stop();
  }

  onApplicationBootstrap(): void {
    const { service } = this.#options;
    if (!service) return;
    // An application context or a pure microservice has no HTTP adapter to ask for a port.
    if (!(this.#host.httpAdapter as AbstractHttpAdapter | null)) {
      this.#logger.warn(`"${service.name}" is not registered: this app has no HTTP server`);
      return;
    }
    this.#releaseSignals = onShutdownSignal(() => this.deregister());
    if (this.#host.listening) this.#startInBackground();
    else this.#subscriptions.push(this.#host.listen$.subscribe(() => this.#startInBackground()));
  }

  async onModuleDestroy(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    await this.deregister();
  }

  onApplicationShutdown(): void {
    this.#releaseSignals();
    this.#status.complete();
  }

  /** Nest emits `listen$` inside its listen callback: whatever is thrown there would be an uncaught exception. */
  #startInBackground(): void {
    this.#start().catch((error: unknown) => this.#logger.error(`cannot register: ${reasonOf(error)}`));
  }

  async #start(): Promise<void> {
    this.#starting = (async () => {
      this.#registrar ??= await this.#createRegistrar();
      if (!this.#leaving) this.#registrar?.start();
    })();
    await this.#starting;
  }

  async #createRegistrar(): Promise<Registrar | undefined> {
    const { service, clock, random, deregisterTimeout } = this.#options;
    const listening = service && (await this.#listening(service));
    if (!listening) return undefined;
    const registrar = new Registrar(
      this.#registry,
      (status) => describeRegistration(service, listening, status),
      {
        clock,
        random,
        logger: this.#logger,
        deregisterTimeout,
        notReady: () => this.#notReady(),
      },
    );
    this.#subscriptions.push(registrar.status$.subscribe((status) => this.#status.next(status)));
    return registrar;
  }

  async #listening(service: ServiceOptions): Promise<Listening | undefined> {
    const server = this.#host.httpAdapter.getHttpServer();
    const bound = server.address();
    if (typeof bound !== 'object' || bound === null) {
      this.#logger.warn(`"${service.name}" is not registered: it listens on a socket file, not on a port`);
      return undefined;
    }
    const registryHost = this.#registry.host;
    const advertised = chooseAddress({
      option: service.address,
      bound: bound.address,
      registryHost,
      registryKnowsNodeAddress: this.#registry.knowsNodeAddress,
      towardsRegistry: registryHost === undefined ? undefined : await addressTowards(registryHost),
    });
    if (isLoopback(bound.address) && service.address === undefined) {
      this.#logger.warn(
        `"${service.name}" listens on ${bound.address} only, which no other host can reach. ` +
          "Listen on all interfaces, app.listen(port, '0.0.0.0'), or set service.address",
      );
    }
    return {
      ...advertised,
      port: bound.port,
      secure: server instanceof TlsServer,
      hostName: hostname(),
      healthPath: this.#options.healthPath,
    };
  }

  async #notReady(): Promise<string | undefined> {
    const { status, details } = await this.#health.check();
    if (status === 'ok' || status === 'degraded') return undefined;
    const down = Object.entries(details).filter(([, detail]) => detail.status === 'down');
    return down
      .map(([name, { message }]) => `${name} is down${message ? ` (${String(message)})` : ''}`)
      .join(', ');
  }
}
