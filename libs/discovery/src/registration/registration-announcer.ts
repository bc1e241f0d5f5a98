import type { LoggerService } from '@nestjs/common';
import { BehaviorSubject } from 'rxjs';
import { isReachable, isRetryable } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import type { DiscoveryEvents } from '../events/discovery-events.js';
import type { RegistryReachability } from '../registry/registry-reachability.js';
import type { Clock } from '../timing/clock.js';
import { likelyCause } from './failing-check.js';
import type { InstanceRegistrationStatus } from './registration-status.js';

export interface AnnouncedInstance {
  readonly id: string;
  readonly service: string;
  /** Where it is registered, for messages. */
  readonly registry: string;
}

export interface AnnouncerOptions {
  readonly logger: LoggerService;
  readonly events: DiscoveryEvents;
  readonly clock: Clock;
  readonly reachability: RegistryReachability;
}

/** Publishes what happens to one registration: log lines for humans, events and a status for programs. */
export class RegistrationAnnouncer {
  readonly status$: BehaviorSubject<InstanceRegistrationStatus>;
  readonly #instance: AnnouncedInstance;
  readonly #logger: LoggerService;
  readonly #events: DiscoveryEvents;
  readonly #clock: Clock;
  readonly #reachability: RegistryReachability;
  #lostSince: number | undefined;
  #contestedLogged = false;
  #heartbeatFailing = false;
  /** Why the checks of this healthy app fail. */
  #checkFailing: string | undefined;

  constructor(instance: AnnouncedInstance, { logger, events, clock, reachability }: AnnouncerOptions) {
    this.#instance = instance;
    this.#logger = logger;
    this.#events = events;
    this.#clock = clock;
    this.#reachability = reachability;
    const { id, service } = instance;
    this.status$ = new BehaviorSubject<InstanceRegistrationStatus>({
      state: 'idle',
      id,
      service,
      reason: undefined,
    });
  }

  setState(state: InstanceRegistrationStatus['state'], reason?: string): void {
    const last = this.status$.value;
    if (state === 'deregistered') {
      this.#checkFailing = undefined;
      this.#reachability.forget(this);
    }
    if (state === 'registered') reason ??= this.#checkFailing;
    if (last.state !== state || last.reason !== reason) this.status$.next({ ...last, state, reason });
  }

  notReady(output: string): void {
    if (this.status$.value.reason !== output)
      this.#logger.warn(`not registered yet, the app is not ready: ${output}`);
    this.setState('pending', output);
  }

  /** @param repairs those of the last minute, if another client keeps undoing them */
  lost(because: string, repairs: number | undefined): void {
    const { id, service, registry } = this.#instance;
    this.#lostSince ??= this.#clock.now();
    this.#events.emit({ type: 'registration.lost', id, service, reason: because });
    this.setState('pending', because);
    if (repairs === undefined) {
      this.#contestedLogged = false;
      this.#logger.warn(`"${id}" in ${registry}: ${because}; registering again`);
      return;
    }
    if (this.#contestedLogged) return;
    this.#contestedLogged = true;
    this.#logger.error(
      `another writer keeps changing "${id}" in ${registry}: ${repairs} repairs in the last minute. Repairs are limited to ` +
        '6 a minute and no longer logged. Look for a second app with this id, a script, or another registrator',
    );
    this.#events.emit({ type: 'registration.contested', id, service, reason: because, repairs });
  }

  registered(because: string | undefined): void {
    const { id, service, registry } = this.#instance;
    if (because === undefined) {
      this.#logger.log(`"${id}" is registered with ${registry}`);
      this.#events.emit({ type: 'registration.registered', id, service });
    } else {
      const afterMs = this.#clock.now() - (this.#lostSince ?? this.#clock.now());
      if (!this.#contestedLogged) this.#logger.log(`"${id}" is registered again with ${registry}`);
      this.#events.emit({ type: 'registration.restored', id, service, reason: because, afterMs });
    }
    this.#lostSince = undefined;
    this.setState('registered');
  }

  /** Registered again since the token has changed: the registry keeps the token of a registration. */
  refreshed(): void {
    const { id, registry } = this.#instance;
    this.#logger.log(`"${id}" is registered again with ${registry}: the token has changed`);
  }

  conflict(because: string): void {
    if (this.status$.value.reason === because) return;
    const { id, service } = this.#instance;
    this.#logger.error(
      `"${id}" is not registered: ${because}. ` +
        'Give each instance an id of its own: leave out service.id, or include the host and the port in it',
    );
    this.#events.emit({ type: 'registration.conflict', id, service, reason: because });
    this.setState('pending', because);
  }

  failed(error: unknown, isFirst: boolean, isRegistered: boolean): void {
    if (isFirst) this.#logger.warn(this.#explain(error));
    if (!isReachable(error)) this.#reachability.unreachable(this, errorMessage(error));
    this.setState(isRegistered ? 'unconfirmed' : 'pending', errorMessage(error));
  }

  /** @returns whether the registry had been unreachable */
  reachable(): boolean {
    return this.#reachability.reachable(this);
  }

  stalled(lagMs: number): void {
    const { id, service } = this.#instance;
    const seconds = (lagMs / 1000).toFixed(1);
    this.#logger.warn(`event loop blocked for ${seconds} s, and with it the heartbeat of "${id}"`);
    this.#events.emit({ type: 'heartbeat.stalled', id, service, lagMs });
  }

  /** @param error of heartbeats that do not arrive, while the registration is there; undefined: they do again */
  heartbeat(error: unknown): void {
    const { id, service, registry } = this.#instance;
    const { state } = this.status$.value;
    if (error === undefined) {
      if (!this.#heartbeatFailing) return;
      this.#heartbeatFailing = false;
      this.#logger.log(`the heartbeat of "${id}" reaches ${registry} again`);
      this.#events.emit({ type: 'heartbeat.recovered', id, service });
      if (state === 'unconfirmed') this.setState('registered');
      return;
    }
    if (state !== 'registered') return;
    this.#heartbeatFailing = true;
    const reason = `heartbeats do not arrive: ${errorMessage(error)}`;
    this.#logger.warn(`"${id}" in ${registry}: ${reason}; its TTL check will expire`);
    this.#events.emit({ type: 'heartbeat.failed', id, service, reason });
    this.setState('unconfirmed', reason);
  }

  /** @param output of the checks that fail although the app is healthy */
  checkFailing(output: string): void {
    const { id, service, registry } = this.#instance;
    const cause = likelyCause(output);
    const reason = output === '' ? 'its check fails, without any output' : `its check fails: ${output}`;
    this.#checkFailing = reason;
    this.#logger.warn(
      `"${id}" finds itself healthy, but ${registry} lists it as critical, so that it gets no calls: ${reason}. Likely cause: ${cause}`,
    );
    this.#events.emit({ type: 'check.failed', id, service, reason: output, cause });
    this.setState(this.status$.value.state, reason);
  }

  checkRecovered(): void {
    const { id, service, registry } = this.#instance;
    this.#checkFailing = undefined;
    this.#logger.log(`"${id}" is no longer listed as critical by ${registry}`);
    this.#events.emit({ type: 'check.recovered', id, service });
    // In another state the reason is another one.
    if (this.status$.value.state === 'registered') this.setState('registered');
  }

  deregistered(): void {
    const { id, service, registry } = this.#instance;
    this.#logger.log(`"${id}" is deregistered from ${registry}`);
    this.#events.emit({ type: 'registration.deregistered', id, service });
  }

  deregistrationFailed(error: unknown, wasRegistered: boolean): void {
    this.#checkFailing = undefined;
    const { id, registry } = this.#instance;
    const outlook = wasRegistered
      ? 'It stays listed until its check fails'
      : 'It had never been registered there';
    this.#logger.warn(
      `"${id}" could not be deregistered from ${registry}: ${errorMessage(error)}. ${outlook}`,
    );
    if (wasRegistered) this.setState('unconfirmed', `deregistration failed: ${errorMessage(error)}`);
    else this.setState('deregistered');
  }

  #explain(error: unknown): string {
    const outlook = isRetryable(error)
      ? 'retrying in the background'
      : 'this needs manual action; still retrying';
    return `cannot keep "${this.#instance.id}" registered, ${outlook}: ${errorMessage(error)}`;
  }
}
