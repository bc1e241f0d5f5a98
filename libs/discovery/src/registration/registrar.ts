import type { LoggerService } from '@nestjs/common';
import type { BehaviorSubject } from 'rxjs';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { DiscoveryEvents } from '../events/discovery-events.js';
import type { Reachability } from '../registry/reconnect-signal.js';
import type { RegistrationRecord, ServiceRegistration } from '../registry/service-registration.js';
import type { RegistrationChange, ServiceRegistry } from '../registry/service-registry.js';
import { askedPause, backoffPause } from '../timing/backoff.js';
import { abortable, bounded } from '../timing/with-timeout.js';
import { isAborted, pause, type Clock, type Random } from '../timing/clock.js';
import { pauseUntil } from '../timing/delay-until.js';
import { scoped } from '../timing/scoped-signal.js';
import { decideRegistration, recentRepairs, type RegistrationDecision } from './decide-registration.js';
import type { HealthReport } from './heartbeat/health-report.js';
import type { Heartbeats } from './heartbeat/heartbeats.js';
import { isHopeful, RegistrationAnnouncer } from './registration-announcer.js';
import { driftOf, isElsewhere } from './registration-drift.js';
import type { InstanceRegistrationStatus } from './registration-status.js';

/** What changes from one registration to the next; the rest is known once the app listens. */
export type RegistrationState = Pick<ServiceRegistration, 'status' | 'maintenance'>;

export interface RegistrarOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: LoggerService;
  readonly events: DiscoveryEvents;
  /** The app's own opinion of itself, asked before every registration. */
  readonly health: () => Promise<HealthReport>;
  /** Whether somebody answers at the place of an instance that has our id. */
  readonly answersAt: (address: string | undefined, port: number) => Promise<boolean>;
  readonly heartbeats: Heartbeats;
  readonly reachability: Reachability;
  /** How long leaving may take, in milliseconds. */
  readonly deregisterTimeout: number;
}

const BACKOFF = { base: 500, cap: 30_000 };
/** Nobody listens there: asking again costs nothing, and an agent that restarts is back within a second. */
const REFUSED_BACKOFF = { base: 250, cap: 750 };
const READINESS_INTERVAL_MS = 1_000;
const SHORTEST_ROUND_MS = 100;
/** How long who leaves waits for a registration that is under way. */
const SENT_PATIENCE_MS = 1_500;
const REFUSALS: ReadonlySet<string> = new Set(['RK_ACL_DENIED', 'RK_REGISTRY_REFUSED', 'RK_ID_CONFLICT']);
const LEAVING_BACKOFF = { base: 200, cap: 500 };
/** Another instance has our id: it may go. */
const RIVAL_PAUSE_MS = 10_000;

/**
 * Keeps one instance in the registry for as long as it runs: compares what should be with what is, does what has to be
 * done, and waits for something to change. What to do is decided by `decideRegistration`.
 */
export class Registrar {
  readonly id: string;
  readonly #registry: ServiceRegistry;
  readonly #describe: (state: RegistrationState) => ServiceRegistration;
  readonly #options: RegistrarOptions;
  readonly #announcer: RegistrationAnnouncer;
  #running: AbortController | undefined;
  #ended: Promise<void> = Promise.resolve();
  #leaving: Promise<void> | undefined;
  /** Interrupts the wait for a change. */
  #look: () => void = () => undefined;
  /** A registration was sent: it may have arrived though its answer did not. */
  #mayBeThere = false;
  #sending: AbortController | undefined;
  #leftAt: number | undefined;
  #isOurs = false;
  #isUnlisted = false;
  #justRegistered = false;
  #rival: 'answers' | 'refuses' | undefined;
  #repairs: number[] = [];
  #lostConnections = 0;
  /** Ours, or that of an operator who told the registry. */
  #maintenance: string | undefined;
  #maintenanceIsPending = false;

  constructor(
    registry: ServiceRegistry,
    describe: (state: RegistrationState) => ServiceRegistration,
    options: RegistrarOptions,
  ) {
    this.#registry = registry;
    this.#describe = describe;
    this.#options = options;
    const { id, service } = describe({ status: 'passing', maintenance: undefined });
    this.id = id;
    const instance = { id, service, registry: registry.description };
    this.#announcer = new RegistrationAnnouncer(instance, options.logger, options.events, options.clock);
  }

  get status$(): BehaviorSubject<InstanceRegistrationStatus> {
    return this.#announcer.status$;
  }

  /** Others may know of it: the registry had it, so long ago at most. */
  wasKnownWithin(milliseconds: number): boolean {
    return this.#mayBeThere || (this.#leftAt ?? -Infinity) > this.#options.clock.now() - milliseconds;
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

  /** Ends without a word to the registry. */
  async abandon(): Promise<void> {
    this.#leaving ??= this.#end();
    return this.#leaving;
  }

  /** Takes the instance out of use for a reason, or with undefined back; it lasts over a loss of the registration. */
  async maintain(reason: string | undefined, signal: AbortSignal): Promise<void> {
    this.#maintenance = reason;
    this.#maintenanceIsPending = true;
    if (this.#isOurs)
      await this.#registry.setMaintenance(this.id, reason, signal).finally(() => this.#look());
  }

  async #leave(): Promise<void> {
    const { clock, deregisterTimeout } = this.#options;
    const aborting = new AbortController();
    const tooLate = (): Error => new Error(`no answer in ${deregisterTimeout} ms`);
    const wasRegistered = this.#isOurs;
    try {
      await bounded(clock, deregisterTimeout, this.#takeOut(aborting.signal), tooLate);
      if (this.#mayBeThere) this.#announcer.deregistered();
      if (this.#mayBeThere) this.#leftAt = clock.now();
      this.#mayBeThere = false;
      this.#announcer.tell('deregistered');
    } catch (error) {
      aborting.abort(error);
      // Whoever asks again may have more luck.
      this.#leaving = undefined;
      this.#announcer.notDeregistered(error, wasRegistered);
    }
    this.#forget();
  }

  /** Not before the loop has ended: its last request must not arrive after ours. A beat that does says nothing. */
  async #takeOut(signal: AbortSignal): Promise<void> {
    const { clock, heartbeats } = this.#options;
    const silenced = heartbeats.stop();
    this.#running?.abort(new Error('the app is shutting down'));
    const late = new AbortController();
    const patience = pause(clock, SENT_PATIENCE_MS, late.signal).catch(() => undefined);
    await Promise.race([this.#ended, patience]);
    late.abort();
    this.#sending?.abort(new Error('the app is shutting down'));
    await this.#ended;
    for (let failures = 1; this.#mayBeThere; failures++) {
      try {
        await this.#registry.deregister(this.id, signal);
        break;
      } catch (error) {
        // A refused connection is an agent that is gone; what answers with an error may do better in a moment.
        const isGone = error instanceof DiscoveryError && error.code === 'RK_REGISTRY_UNREACHABLE';
        if (signal.aborted || isGone || !isHopeful(error)) throw error;
        await pause(clock, backoffPause(failures, LEAVING_BACKOFF, this.#options.random), signal);
      }
    }
    await silenced;
  }

  async #end(): Promise<void> {
    this.#running?.abort(new Error('the app is shutting down'));
    this.#sending?.abort(new Error('the app is shutting down'));
    await Promise.all([this.#ended, this.#options.heartbeats.stop()]);
    this.#forget();
    this.#announcer.tell('deregistered');
  }

  #forget(): void {
    this.#running = undefined;
    this.#isOurs = false;
    this.#isUnlisted = false;
    this.#rival = undefined;
    this.#repairs = [];
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, reachability } = this.#options;
    // Counted apart: an agent that was away for long must not be given long pauses for its first hiccup.
    const failures = { refused: 0, answered: 0 };
    const onSuccess = (): void => void Object.assign(failures, { refused: 0, answered: 0 });
    while (!signal.aborted) {
      try {
        await this.#round(signal, onSuccess);
      } catch (error) {
        if (isAborted(signal)) return;
        const isRefused = error instanceof DiscoveryError && error.code === 'RK_REGISTRY_UNREACHABLE';
        const kind = isRefused ? 'refused' : 'answered';
        failures[kind]++;
        this.#announcer.failed(error, failures.refused + failures.answered === 1, this.#isOurs);
        const pauseMs = backoffPause(failures[kind], isRefused ? REFUSED_BACKOFF : BACKOFF, random);
        const askedMs = askedPause(error, random);
        // Who asked to be left alone is, whatever others have heard.
        const resting =
          askedMs === undefined
            ? pauseUntil(clock, pauseMs, signal, reachability.answered$)
            : pause(clock, Math.max(askedMs, pauseMs), signal);
        await resting.catch(() => undefined);
      }
    }
  }

  /** From a look at the registry to the moment when another one is worth it. */
  async #round(signal: AbortSignal, onSuccess: () => void): Promise<void> {
    const status = this.#isOurs ? 'passing' : await this.#untilReady(signal);
    const planned = this.#describe({ status, maintenance: this.#maintenance });
    const actual = await this.#registry.inspect(planned, signal);
    const wasAway = this.#announcer.answered();
    if (wasAway) this.#options.reachability.answered();
    const afterOutage = wasAway || this.#registry.lostConnections !== this.#lostConnections;
    this.#lostConnections = this.#registry.lostConnections;
    if (actual) this.#adoptMaintenance(planned, actual);
    const desired = { ...planned, maintenance: this.#maintenance };
    const decision = this.#decide(desired, actual, afterOutage);
    this.#justRegistered = false;
    switch (decision.do) {
      case 'probe':
        this.#rival = (await this.#options.answersAt(decision.address, decision.port))
          ? 'answers'
          : 'refuses';
        return;
      case 'yield':
        this.#announcer.conflict(decision.because);
        this.#rival = undefined;
        return pause(this.#options.clock, RIVAL_PAUSE_MS, signal);
      case 'register':
        await this.#register(desired, decision, signal);
        onSuccess();
        return;
      case 'maintain':
        return this.#registry.setMaintenance(this.id, decision.reason, signal);
      case 'nothing':
        onSuccess();
        if (actual) await this.#hold(desired, actual, signal);
    }
  }

  #decide(
    desired: ServiceRegistration,
    actual: RegistrationRecord | undefined,
    afterOutage: boolean,
  ): RegistrationDecision {
    const history = {
      isOurs: this.#isOurs,
      afterOutage,
      isUnlisted: this.#isUnlisted,
      repairs: this.#repairs,
      rival: this.#rival,
    };
    return decideRegistration(desired, actual, history, this.#options.clock.now(), this.#options.random);
  }

  async #register(
    desired: ServiceRegistration,
    { because, afterMs, isRepair, isContested, afresh }: Extract<RegistrationDecision, { do: 'register' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, health, heartbeats } = this.#options;
    const recent = recentRepairs(this.#repairs, clock.now());
    if (because !== undefined) this.#announcer.lost(because, isContested ? recent.length : undefined);
    if (afterMs > 0) await pause(clock, afterMs, signal);
    // One that is known already comes back as it is; a first time has waited until the app was ready.
    const status = because === undefined ? desired.status : (await abortable(health(), signal)).status;
    if (afresh) await this.#registry.deregister(this.id, signal);
    await this.#send({ ...desired, status });
    if (isAborted(signal)) return;
    this.#isOurs = true;
    this.#isUnlisted = false;
    this.#justRegistered = true;
    if (isRepair) this.#repairs = [...recent, clock.now()];
    this.#announcer.registered(because);
    await heartbeats.stop();
    heartbeats.start(desired, {
      onLost: () => this.#look(),
      onStall: (lag) => this.#announcer.stalled(lag),
      onTrouble: (error) => this.#announcer.heartbeat(error),
    });
  }

  /** What has been sent cannot be called back: who leaves lets it arrive first, for a while. */
  async #send(registration: ServiceRegistration): Promise<void> {
    const sending = new AbortController();
    this.#sending = sending;
    const wasThere = this.#mayBeThere;
    this.#mayBeThere = true; // even when it fails: the request may have arrived
    try {
      await this.#registry.register(registration, sending.signal);
    } catch (error) {
      // But for an answer that says no.
      if (error instanceof DiscoveryError && REFUSALS.has(error.code)) this.#mayBeThere = wasThere;
      throw error;
    } finally {
      this.#sending = undefined;
    }
  }

  /** All is well: until something changes, a beat finds its check gone, or the app leaves. */
  async #hold(desired: ServiceRegistration, actual: RegistrationRecord, signal: AbortSignal): Promise<void> {
    this.#announcer.tell('registered');
    const looked = new Promise<RegistrationChange>((resolve) => {
      this.#look = () => resolve('changed');
    });
    try {
      // An answer that comes at once, again and again, must not make a hot loop.
      await pause(this.#options.clock, SHORTEST_ROUND_MS, signal);
      const change = await scoped(signal, (waiting) =>
        Promise.race([this.#registry.untilChanged(desired, actual, waiting), looked]),
      );
      this.#isUnlisted = change === 'unlisted';
    } finally {
      this.#look = () => undefined;
    }
  }

  /** Never registers for the first time while not ready. */
  async #untilReady(signal: AbortSignal): Promise<'passing' | 'warning'> {
    for (;;) {
      const { status, output } = await abortable(this.#options.health(), signal);
      if (status !== 'critical') return status;
      this.#announcer.notReady(output);
      await pause(this.#options.clock, READINESS_INTERVAL_MS, signal);
    }
  }

  /** What an operator told the registry about us is kept, and put back when a registration has dropped it. */
  #adoptMaintenance(planned: ServiceRegistration, actual: RegistrationRecord): void {
    if (this.#maintenanceIsPending) {
      this.#maintenanceIsPending = (actual.maintenance === undefined) !== (this.#maintenance === undefined);
      return;
    }
    // Gone, and neither by our own registration nor by another's: the operator has ended it.
    const wasEnded = !this.#justRegistered && driftOf(planned, actual).length === 0;
    const isKnown = actual.maintenance !== undefined && !isElsewhere(planned, actual);
    if (isKnown || wasEnded) this.#maintenance = actual.maintenance;
  }
}
