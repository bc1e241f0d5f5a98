import type { LoggerService } from '@nestjs/common';
import { BehaviorSubject } from 'rxjs';
import { DiscoveryError } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/reason-of.js';
import type { Reachability } from '../registry/reachability.js';
import type { ServiceRegistration } from '../registry/service-registration.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import { backoffPause } from '../timing/backoff.js';
import { abortable, bounded } from '../timing/bounded.js';
import { isAborted, pause, pauseUntil, type Clock, type Random } from '../timing/clock.js';
import type { RegistrationStatus } from './registration-status.js';

export interface RegistrarOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: LoggerService;
  /** The app's own opinion: undefined when it is ready, else why not. Asked before every registration. */
  readonly notReady: () => Promise<string | undefined>;
  readonly reachability: Reachability;
  /** How long leaving may take, in milliseconds. */
  readonly deregisterTimeout: number;
}

const BACKOFF = { base: 500, cap: 30_000 };
const READINESS_INTERVAL_MS = 1_000;
/** Pauses between repairs: somebody who undoes us again and again must not make a hot loop, or a flood of warnings. */
const REPAIR = { base: 250, cap: 10_000 };
const STABLE_AFTER_MS = 30_000;
const SHORTEST_ROUND_MS = 100;

/** Keeps one instance in the registry for as long as it runs: puts it there, watches it, and puts it back. */
export class Registrar {
  readonly status$ = new BehaviorSubject<RegistrationStatus>({
    state: 'idle',
    id: undefined,
    reason: undefined,
  });
  readonly #registry: ServiceRegistry;
  readonly #describe: (status: ServiceRegistration['status']) => ServiceRegistration;
  readonly #options: RegistrarOptions;
  readonly #id: string;
  #running: AbortController | undefined;
  #ended: Promise<void> = Promise.resolve();
  #mayBeThere = false;
  #wasThere = false;
  #leaving: Promise<void> | undefined;

  constructor(
    registry: ServiceRegistry,
    describe: (status: ServiceRegistration['status']) => ServiceRegistration,
    options: RegistrarOptions,
  ) {
    this.#registry = registry;
    this.#describe = describe;
    this.#options = options;
    this.#id = describe('passing').id;
  }

  start(): void {
    if (this.#running) return;
    this.#leaving = undefined;
    this.#running = new AbortController();
    this.#ended = this.#run(this.#running.signal);
  }

  /** Leaves the registry, once however often it is called; bounded by `deregisterTimeout`, and never rejects. */
  async stop(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  async #leave(): Promise<void> {
    const { clock, deregisterTimeout, logger } = this.#options;
    const aborting = new AbortController();
    const tooLate = (): Error => new Error(`no answer in ${deregisterTimeout} ms`);
    this.#running?.abort(new Error('the app is shutting down'));
    try {
      await bounded(clock, deregisterTimeout, this.#takeOut(aborting.signal), tooLate);
      if (this.#mayBeThere) logger.log(`"${this.#id}" is deregistered from ${this.#registry.description}`);
      this.#mayBeThere = false;
    } catch (error) {
      aborting.abort(error);
      logger.warn(
        `"${this.#id}" could not be deregistered from ${this.#registry.description}: ${reasonOf(error)}. ` +
          (this.#wasThere ? 'Its check will take it out of use there' : 'It had never been registered there'),
      );
    }
    this.#running = undefined;
    this.#tell('deregistered');
  }

  /** Not before the loop has ended: its last request must not arrive after ours. */
  async #takeOut(signal: AbortSignal): Promise<void> {
    await this.#ended;
    if (this.#mayBeThere) await this.#registry.deregister(this.#id, signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, logger } = this.#options;
    let failures = 0;
    let losses = 0;
    while (!signal.aborted) {
      try {
        const status = await this.#readiness(signal);
        this.#mayBeThere = true; // even when it fails: the request may have arrived
        await this.#registry.register(this.#describe(status), signal);
        if (failures > 0) this.#options.reachability.answered();
        if (this.status$.value.state !== 'registered') {
          logger.log(`"${this.#id}" is registered with ${this.#registry.description}`);
        }
        this.#wasThere = true;
        this.#tell('registered');
        const since = clock.now();
        await this.#untilLost(signal);
        failures = 0;
        losses = clock.now() - since > STABLE_AFTER_MS ? 1 : losses + 1;
        logger.warn(`"${this.#id}" is gone from ${this.#registry.description}: registering it again`);
        this.#tell('waiting', 'it is gone from the registry');
        await pause(clock, backoffPause(losses, REPAIR, random), signal);
      } catch (error) {
        if (isAborted(signal)) return;
        failures++;
        if (failures === 1) logger.warn(this.#explain(error));
        this.#tell(this.status$.value.state === 'idle' ? 'waiting' : 'unreachable', reasonOf(error));
        const { answered$ } = this.#options.reachability;
        await pauseUntil(clock, backoffPause(failures, BACKOFF, random), signal, answered$).catch(
          () => undefined,
        );
      }
    }
  }

  async #untilLost(signal: AbortSignal): Promise<void> {
    for await (const present of this.#registry.watchRegistration(this.#id, signal)) {
      if (!present) return;
      // An answer that comes at once, again and again, must not make a hot loop.
      await pause(this.#options.clock, SHORTEST_ROUND_MS, signal);
    }
    throw new Error('the watch on our own registration ended');
  }

  /** Never registers for the first time while not ready; one that is known already comes back as it is. */
  async #readiness(signal: AbortSignal): Promise<ServiceRegistration['status']> {
    for (let told: string | undefined; ;) {
      const reason = await abortable(this.#options.notReady(), signal);
      if (reason === undefined) return 'passing';
      if (this.#mayBeThere) return 'critical';
      if (reason !== told) this.#options.logger.warn(`not registered yet, the app is not ready: ${reason}`);
      told = reason;
      this.#tell('waiting', reason);
      await pause(this.#options.clock, READINESS_INTERVAL_MS, signal);
    }
  }

  #explain(error: unknown): string {
    const hopeful = !(error instanceof DiscoveryError) || RETRY_IS_HOPEFUL.has(error.code);
    const outlook = hopeful
      ? 'trying again in the background'
      : 'somebody has to mend this; trying again all the same';
    return `cannot keep "${this.#id}" registered, ${outlook}: ${reasonOf(error)}`;
  }

  #tell(state: RegistrationStatus['state'], reason?: string): void {
    const last = this.status$.value;
    if (last.state === state && last.reason === reason) return;
    this.status$.next({ state, id: this.#id, reason });
  }
}

const RETRY_IS_HOPEFUL: ReadonlySet<string> = new Set([
  'RK_REGISTRY_UNREACHABLE',
  'RK_REGISTRY_TIMEOUT',
  'RK_REGISTRY_NO_LEADER',
  'RK_REGISTRY_LIMITED',
  'RK_REGISTRY_FAILED',
]);
