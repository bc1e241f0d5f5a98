import type { BehaviorSubject } from 'rxjs';
import { DiscoveryError, isRefused } from '../errors/discovery-error.js';
import { isError } from '../errors/error-message.js';
import type { ReconnectSignal } from '../registry/reconnect-signal.js';
import { hostAndPort, type InstanceStatus } from '../registry/service-instance.js';
import type {
  RegistrationCheck,
  RegistrationRecord,
  ServiceRegistration,
} from '../registry/service-registration.js';
import type { RegistrationChange, ServiceRegistry } from '../registry/service-registry.js';
import { backoffDelay, retryAfterDelay } from '../timing/backoff.js';
import { delay, isAborted, type Random } from '../timing/clock.js';
import { delayUntil } from '../timing/delay-until.js';
import { withScopedSignal } from '../timing/scoped-signal.js';
import { withAbort, withTimeout } from '../timing/with-timeout.js';
import { decideRegistration, type RegistrationDecision } from './decide-registration.js';
import type { RegistrationSpec } from './describe-registration.js';
import type { HealthReport } from './heartbeat/health-report.js';
import type { Heartbeats } from './heartbeat/heartbeats.js';
import { leaveRegistry } from './leave-registry.js';
import { ListedHealth, type FailingChecks } from './listed-health.js';
import { Maintenance } from './maintenance.js';
import { RegistrationAnnouncer, type AnnouncerOptions } from './registration-announcer.js';
import { RegistrationHistory } from './registration-history.js';
import type { InstanceRegistrationStatus } from './registration-status.js';

export interface RegistrarOptions extends AnnouncerOptions {
  readonly random: Random;
  /** The app's own health, checked before every registration. */
  readonly health: () => Promise<HealthReport>;
  /** Whether an instance accepts connections. */
  readonly isReachable: (address: string | undefined, port: number) => Promise<boolean>;
  readonly heartbeats: Heartbeats;
  readonly reconnectSignal: ReconnectSignal;
  /** How long deregistration may take. */
  readonly deregisterTimeoutMs: number;
}

const BACKOFF = { base: 500, cap: 30_000 };
/** Of a refused connection: trying again costs nothing, and an agent that restarts is back within a second. */
const REFUSED_BACKOFF = { base: 250, cap: 750 };
const READINESS_INTERVAL_MS = 1_000;
const MIN_INTERVAL_MS = 100;
/** A failing check is reported after this many of its intervals: with one, the app may not have been asked at all. */
const INTERVALS = 2;
/** Of a check without an interval of its own: an alias. */
const DEFAULT_INTERVAL_MS = 10_000;
/** The other instance that has our id may leave. */
const YIELD_MS = 10_000;

/**
 * Reconciles one registration for as long as it runs: compares the desired state with the actual one, does what
 * `decideRegistration` decides, and waits for a change.
 */
export class Registrar {
  readonly id: string;
  readonly #registry: ServiceRegistry;
  readonly #spec: RegistrationSpec;
  readonly #options: RegistrarOptions;
  readonly #announcer: RegistrationAnnouncer;
  readonly #history = new RegistrationHistory();
  readonly #maintenance = new Maintenance();
  readonly #listedHealth: ListedHealth;
  #running: AbortController | undefined;
  #loopEnded: Promise<void> = Promise.resolve();
  #leaving: Promise<void> | undefined;
  /** The request to register that is in flight. */
  #registering: AbortController | undefined;
  /** Ends the wait for a change. */
  #wake: () => void = () => undefined;
  #disconnects = 0;

  constructor(registry: ServiceRegistry, spec: RegistrationSpec, options: RegistrarOptions) {
    this.#registry = registry;
    this.#spec = spec;
    this.#options = options;
    this.id = spec.id;
    const instance = { id: spec.id, service: spec.service, registry: registry.description };
    this.#announcer = new RegistrationAnnouncer(instance, options);
    this.#listedHealth = new ListedHealth({
      clock: options.clock,
      firstLookMs: INTERVALS * Math.min(...spec.checks.map(intervalOf)),
      isHealthy: async () => (await options.health()).status !== 'critical',
      readFailing: () => this.#readFailing(),
      onFailing: (output) => this.#announcer.checkFailing(output),
      onRecovered: () => this.#announcer.checkRecovered(),
    });
  }

  get status$(): BehaviorSubject<InstanceRegistrationStatus> {
    return this.#announcer.status$;
  }

  /** `host:port` of the registration; undefined: the host is that of the registry's node. */
  get address(): string | undefined {
    const { address, port } = this.#spec;
    return address === undefined ? undefined : hostAndPort({ address, port });
  }

  /** As it is registered; without an address it is at that of the registry's node. */
  get location(): Pick<RegistrationSpec, 'address' | 'port'> {
    return this.#spec;
  }

  /** Clients may know the instance: it is registered, or was within the given time. */
  wasKnownWithin(milliseconds: number): boolean {
    const { maybeRegistered, deregisteredAt } = this.#history;
    return maybeRegistered || deregisteredAt > this.#options.clock.now() - milliseconds;
  }

  start(): void {
    if (this.#running) return;
    this.#leaving = undefined;
    this.#running = new AbortController();
    this.#loopEnded = this.#run(this.#running.signal);
  }

  /** Deregisters the instance, once however often it is called; bounded by `deregisterTimeoutMs`, and never rejects. */
  async stop(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  /** The registry keeps the registration. */
  async stopWithoutDeregistering(): Promise<void> {
    this.#leaving ??= this.#end();
    return this.#leaving;
  }

  /** Begins maintenance for a reason, or ends it with undefined; it is restored after a loss of the registration. */
  async setMaintenance(reason: string | undefined, signal: AbortSignal): Promise<void> {
    this.#maintenance.set(reason);
    if (!this.#history.isOurs) return;
    await this.#registry.setMaintenance(this.id, reason, signal).finally(() => this.#wake());
  }

  async #leave(): Promise<void> {
    const { clock, random, deregisterTimeoutMs } = this.#options;
    const aborting = new AbortController();
    let lastError: unknown;
    const onTimeout = (): Error =>
      isError(lastError) ? lastError : new Error(`no response in ${deregisterTimeoutMs} ms`);
    const wasRegistered = this.#history.isOurs;
    const heartbeatsStopped = this.#stopLoop();
    const left = leaveRegistry(
      {
        clock,
        random,
        registry: this.#registry,
        registration: this.#spec,
        loopEnded: this.#loopEnded,
        heartbeatsStopped,
        abortRegister: () => this.#abortRegister(),
        maybeRegistered: () => this.#history.maybeRegistered,
        onRetry: (error) => (lastError = error),
      },
      aborting.signal,
    );
    try {
      await withTimeout(clock, deregisterTimeoutMs, left, onTimeout);
      if (this.#history.maybeRegistered) this.#announcer.deregistered();
      this.#history.deregistered(clock.now());
      this.#announcer.setState('deregistered');
    } catch (error) {
      aborting.abort(error);
      // Allows another attempt.
      this.#leaving = undefined;
      this.#announcer.deregistrationFailed(error, wasRegistered);
    }
    this.#reset();
  }

  async #end(): Promise<void> {
    const heartbeatsStopped = this.#stopLoop();
    this.#abortRegister();
    await Promise.all([this.#loopEnded, heartbeatsStopped]);
    this.#reset();
    this.#announcer.setState('deregistered');
  }

  /** @returns when no heartbeat is in flight */
  #stopLoop(): Promise<void> {
    const heartbeatsStopped = this.#options.heartbeats.stop();
    this.#running?.abort(new Error('the app is shutting down'));
    return heartbeatsStopped;
  }

  #abortRegister(): void {
    this.#registering?.abort(new Error('the app is shutting down'));
  }

  #reset(): void {
    this.#running = undefined;
    this.#listedHealth.reset();
    this.#history.reset();
  }

  async #run(signal: AbortSignal): Promise<void> {
    // Counted apart, so that a long absence of the agent does not lengthen the delay after its first error.
    const failures = { refused: 0, other: 0 };
    const onSuccess = (): void => void Object.assign(failures, { refused: 0, other: 0 });
    while (!signal.aborted) {
      try {
        await this.#step(signal, onSuccess);
      } catch (error) {
        if (isAborted(signal)) return;
        const isUnreachable = error instanceof DiscoveryError && error.code === 'RK_REGISTRY_UNREACHABLE';
        const kind = isUnreachable ? 'refused' : 'other';
        failures[kind]++;
        const isFirst = failures.refused + failures.other === 1;
        this.#announcer.failed(error, isFirst, this.#history.isOurs);
        const backoff = isUnreachable ? REFUSED_BACKOFF : BACKOFF;
        await this.#backOff(error, backoffDelay(failures[kind], backoff, this.#options.random), signal);
      }
    }
  }

  async #backOff(error: unknown, backoffMs: number, signal: AbortSignal): Promise<void> {
    const { clock, random, reconnectSignal } = this.#options;
    const retryAfterMs = retryAfterDelay(error, random);
    // A registry that sent Retry-After is left alone, even when another user of it has reconnected.
    const waiting =
      retryAfterMs === undefined
        ? delayUntil(clock, backoffMs, signal, reconnectSignal.reconnected$)
        : delay(clock, Math.max(retryAfterMs, backoffMs), signal);
    await waiting.catch(() => undefined);
  }

  /** Reads the actual state, acts on it, and returns when it has to be read again. */
  async #step(signal: AbortSignal, onSuccess: () => void): Promise<void> {
    const { clock, random, reconnectSignal } = this.#options;
    const status = this.#history.isOurs ? 'passing' : await this.#untilReady(signal);
    const planned = { ...this.#spec, status, maintenance: this.#maintenance.reason };
    const actual = await this.#registry.read(planned, signal);
    const wasUnreachable = this.#announcer.reachable();
    if (wasUnreachable) reconnectSignal.reconnected();
    const afterOutage = wasUnreachable || this.#registry.disconnects !== this.#disconnects;
    this.#disconnects = this.#registry.disconnects;
    if (actual) {
      this.#maintenance.adopt(planned, actual, this.#history.justRegistered);
      const { reason } = this.#maintenance;
      if (reason !== planned.maintenance) this.#announcer.maintenance(reason);
    }
    const tags = planned.enableTagOverride && this.#history.isOurs && actual ? actual.tags : planned.tags;
    const desired = { ...planned, tags, maintenance: this.#maintenance.reason };
    const facts = {
      ...this.#history.facts(afterOutage, this.#registry.credentials),
      wasCritical: this.#listedHealth.status === 'critical',
    };
    const decision = decideRegistration(desired, actual, facts, clock.now(), random);
    this.#history.stepDecided();
    switch (decision.do) {
      case 'probe':
        return this.#probeIdHolder(decision.address, decision.port);
      case 'yield':
        this.#announcer.conflict(decision.because);
        this.#history.yielded();
        return delay(clock, YIELD_MS, signal);
      case 'register':
        await this.#register(desired, decision, signal);
        onSuccess();
        return;
      case 'refresh':
        await this.#send(desired);
        this.#announcer.refreshed();
        return;
      case 'set-maintenance':
        return this.#registry.setMaintenance(this.id, decision.reason, signal);
      case 'nothing':
        onSuccess();
        if (actual) await this.#watch(desired, actual, signal);
    }
  }

  async #probeIdHolder(address: string | undefined, port: number): Promise<void> {
    const isReachable = await this.#options.isReachable(address, port);
    this.#history.idHolderProbed(isReachable ? 'reachable' : 'unreachable');
  }

  async #register(
    desired: ServiceRegistration,
    decision: Extract<RegistrationDecision, { do: 'register' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, health, heartbeats } = this.#options;
    const { because, afterMs, isRepair, isContested, isCritical, deregisterFirst } = decision;
    if (because !== undefined)
      this.#announcer.lost(because, isContested ? this.#history.recentRepairs(clock.now()) : undefined);
    if (afterMs > 0) await delay(clock, afterMs, signal);
    // A known instance comes back with its present health; the first registration has waited for readiness.
    const ownStatus = because === undefined ? desired.status : (await withAbort(health(), signal)).status;
    const status = isCritical ? 'critical' : ownStatus;
    if (deregisterFirst) await this.#registry.deregister(desired, signal);
    await this.#send({ ...desired, status });
    if (isAborted(signal)) return;
    this.#history.registered(isRepair, clock.now());
    this.#announcer.registered(because);
    await heartbeats.stop();
    // The app may have left while they ended.
    if (isAborted(signal)) return;
    heartbeats.start(desired, {
      onLost: () => this.#wake(),
      onStall: (lagMs) => this.#announcer.stalled(lagMs),
      onFailing: (error) => this.#announcer.heartbeat(error),
    });
  }

  /** With a signal of its own: a request that was sent cannot be revoked, so that leaving lets it complete first. */
  async #send(registration: ServiceRegistration): Promise<void> {
    const registering = new AbortController();
    const { credentials } = this.#registry;
    this.#registering = registering;
    const undo = this.#history.registerSent();
    try {
      await this.#registry.register(registration, registering.signal);
      this.#history.registeredWith(credentials);
    } catch (error) {
      if (isRefused(error)) undo();
      throw error;
    } finally {
      this.#registering = undefined;
    }
  }

  /** Returns when the registration may have changed, or a heartbeat found its check missing. */
  async #watch(desired: ServiceRegistration, actual: RegistrationRecord, signal: AbortSignal): Promise<void> {
    this.#announcer.setState('registered');
    const onStatus = (status: InstanceStatus): void => this.#listedHealth.listed(status);
    const woken = new Promise<RegistrationChange>((resolve) => {
      this.#wake = () => resolve('changed');
    });
    try {
      // Bounds the rate of reads when a registry reports a change at once, again and again.
      await delay(this.#options.clock, MIN_INTERVAL_MS, signal);
      const change = await withScopedSignal(signal, (waiting) =>
        Promise.race([this.#registry.waitForChange(desired, actual, onStatus, waiting), woken]),
      );
      this.#history.changed(change === 'unlisted');
    } finally {
      this.#wake = () => undefined;
    }
  }

  async #readFailing(): Promise<FailingChecks | undefined> {
    if (!this.#running) return undefined;
    const planned = { ...this.#spec, status: 'passing', maintenance: this.#maintenance.reason } as const;
    const actual = await this.#registry.read(planned, this.#running.signal);
    if (actual?.status !== 'critical') return undefined;
    const failing = actual.failing.map(({ id }) => id);
    const intervals = this.#spec.checks.filter(({ id }) => failing.includes(id)).map(intervalOf);
    return {
      output: actual.failing.map(({ output }) => output).join('; '),
      patienceMs: INTERVALS * Math.max(0, ...intervals),
    };
  }

  /** An app that is not ready is never registered for the first time. */
  async #untilReady(signal: AbortSignal): Promise<'passing' | 'warning'> {
    for (;;) {
      const { status, output } = await withAbort(this.#options.health(), signal);
      if (status !== 'critical') return status;
      this.#announcer.notReady(output);
      await delay(this.#options.clock, READINESS_INTERVAL_MS, signal);
    }
  }
}

function intervalOf(check: RegistrationCheck): number {
  if (check.type === 'ttl') return check.ttlMs;
  return 'intervalMs' in check ? check.intervalMs : DEFAULT_INTERVAL_MS;
}
