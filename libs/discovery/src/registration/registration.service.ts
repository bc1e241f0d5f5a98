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
import { shutDown } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/reason-of.js';
import type { Reachability } from '../registry/reachability.js';
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
  readonly reachability: Reachability;
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
  #listening$: Subscription | undefined;
  #status$: Subscription | undefined;
  readonly #registry: ServiceRegistry;
  readonly #host: HttpAdapterHost<AbstractHttpAdapter<Server>>;
  readonly #health: HealthService;
  readonly #options: RegistrationOptions;
  #registrar: Registrar | undefined;
  #commands: Promise<void> = Promise.resolve();
  #closed = false;
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

  /**
   * Puts the app into the registry again after `deregister()`. Resolves when that has begun; `status$` tells the outcome.
   *
   * @throws DiscoveryError `RK_SHUT_DOWN` after `app.close()`
   */
  async register(): Promise<void> {
    if (this.#closed) throw shutDown();
    await this.#inTurn(async () => {
      this.#registrar ??= await this.#createRegistrar();
      if (!this.#closed) this.#registrar?.start();
    });
  }

  /** Takes the app out of the registry until `register()`; within the deregistration timeout, and never rejects. */
  async deregister(): Promise<void> {
    await this.#inTurn(async () => this.#registrar?.stop());
  }

  /** Commands that overlap run one after the other, so that the last one is what holds. */
  #inTurn(command: () => Promise<void>): Promise<void> {
    const result = this.#commands.then(command);
    this.#commands = result.catch(() => undefined);
    return result;
  }

  onApplicationBootstrap(): void {
    const { service } = this.#options;
    if (!service) return;
    // An application context or a pure microservice has no HTTP adapter to ask for a port.
    if (!(this.#host.httpAdapter as AbstractHttpAdapter | null)) {
      this.#logger.warn(`"${service.name}" is not registered: this app has no HTTP server`);
      return;
    }
    this.#releaseSignals = onShutdownSignal(() => this.#leave());
    if (this.#host.listening) this.#startInBackground();
    else this.#listening$ = this.#host.listen$.subscribe(() => this.#startInBackground());
  }

  async onModuleDestroy(): Promise<void> {
    this.#listening$?.unsubscribe();
    await this.#leave();
  }

  onApplicationShutdown(): void {
    this.#releaseSignals();
    this.#status$?.unsubscribe();
    this.#status.complete();
  }

  /** Nest emits `listen$` inside its listen callback: whatever is thrown there would be an uncaught exception. */
  #startInBackground(): void {
    this.register().catch((error: unknown) => this.#logger.error(`cannot register: ${reasonOf(error)}`));
  }

  /** For good: the app is going. */
  async #leave(): Promise<void> {
    this.#closed = true;
    await this.deregister();
  }

  async #createRegistrar(): Promise<Registrar | undefined> {
    const { service, clock, random, reachability, deregisterTimeout } = this.#options;
    const listening = service && (await this.#listening(service));
    if (!listening) return undefined;
    const registrar = new Registrar(
      this.#registry,
      (status) => describeRegistration(service, listening, status),
      {
        clock,
        random,
        reachability,
        logger: this.#logger,
        deregisterTimeout,
        notReady: () => this.#notReady(),
      },
    );
    this.#status$ = registrar.status$.subscribe((status) => this.#status.next(status));
    return registrar;
  }

  async #listening(service: ServiceOptions): Promise<Listening | undefined> {
    // Null in an application context, whatever its type says.
    const adapter = this.#host.httpAdapter as AbstractHttpAdapter<Server> | null;
    const server = adapter?.getHttpServer();
    const bound = server?.address();
    if (typeof bound !== 'object' || bound === null) {
      const why = bound ? 'it listens on a socket file, not on a port' : 'this app does not listen on a port';
      this.#logger.warn(`"${service.name}" is not registered: ${why}`);
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
