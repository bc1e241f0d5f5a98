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
  readonly events: DiscoveryEvents;
  readonly clock: Clock;
  readonly reachability: RegistryReachability;
}

/** Publishes what happens to one registration: events, which are logged, and a status. */
export class RegistrationAnnouncer {
  readonly status$: BehaviorSubject<InstanceRegistrationStatus>;
  readonly #instance: AnnouncedInstance;
  readonly #events: DiscoveryEvents;
  readonly #clock: Clock;
  readonly #reachability: RegistryReachability;
  #lostSince: number | undefined;
  #isContested = false;
  #heartbeatFailing = false;
  /** Why the checks of this healthy app fail. */
  #checkFailing: string | undefined;

  constructor(instance: AnnouncedInstance, { events, clock, reachability }: AnnouncerOptions) {
    this.#instance = instance;
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

  /** An operator has set it, or ended it with undefined. */
  maintenance(reason: string | undefined): void {
    const { service } = this.#instance;
    this.#events.emit(
      reason === undefined
        ? { type: 'maintenance.ended', service }
        : { type: 'maintenance.started', service, reason },
    );
  }

  notReady(output: string): void {
    if (this.status$.value.reason !== output)
      this.#events.emit({ type: 'registration.notReady', ...this.#instance, reason: output });
    this.setState('pending', output);
  }

  /** @param repairs those of the last minute, if another client keeps undoing them */
  lost(because: string, repairs: number | undefined): void {
    this.#lostSince ??= this.#clock.now();
    const wasContested = this.#isContested;
    this.#isContested = repairs !== undefined;
    const lost = { ...this.#instance, reason: because };
    this.#events.emit({ type: 'registration.lost', ...lost, isContested: this.#isContested });
    this.setState('pending', because);
    if (repairs !== undefined && !wasContested)
      this.#events.emit({ type: 'registration.contested', ...lost, repairs });
  }

  registered(because: string | undefined): void {
    if (because === undefined) {
      this.#events.emit({ type: 'registration.registered', ...this.#instance });
    } else {
      const afterMs = this.#clock.now() - (this.#lostSince ?? this.#clock.now());
      const isContested = this.#isContested;
      this.#events.emit({
        type: 'registration.restored',
        ...this.#instance,
        reason: because,
        afterMs,
        isContested,
      });
    }
    this.#lostSince = undefined;
    this.setState('registered');
  }

  /** Registered again since the token has changed: the registry keeps the token of a registration. */
  refreshed(): void {
    this.#events.emit({ type: 'registration.refreshed', ...this.#instance });
  }

  conflict(because: string): void {
    if (this.status$.value.reason === because) return;
    this.#events.emit({ type: 'registration.conflict', ...this.#instance, reason: because });
    this.setState('pending', because);
  }

  failed(error: unknown, isFirst: boolean, isRegistered: boolean): void {
    const reason = errorMessage(error);
    if (isFirst)
      this.#events.emit({
        type: 'registration.failed',
        ...this.#instance,
        reason,
        isRetryable: isRetryable(error),
      });
    if (!isReachable(error)) this.#reachability.unreachable(this, reason);
    this.setState(isRegistered ? 'unconfirmed' : 'pending', reason);
  }

  /** @returns whether the registry had been unreachable */
  reachable(): boolean {
    return this.#reachability.reachable(this);
  }

  stalled(lagMs: number): void {
    this.#events.emit({ type: 'heartbeat.stalled', ...this.#instance, lagMs });
  }

  /** @param error of heartbeats that do not arrive, while the registration is there; undefined: they do again */
  heartbeat(error: unknown): void {
    const { state } = this.status$.value;
    if (error === undefined) {
      if (!this.#heartbeatFailing) return;
      this.#heartbeatFailing = false;
      this.#events.emit({ type: 'heartbeat.recovered', ...this.#instance });
      if (state === 'unconfirmed') this.setState('registered');
      return;
    }
    if (state !== 'registered') return;
    this.#heartbeatFailing = true;
    const reason = `heartbeats do not arrive: ${errorMessage(error)}`;
    this.#events.emit({ type: 'heartbeat.failed', ...this.#instance, reason });
    this.setState('unconfirmed', reason);
  }

  /** @param output of the checks that fail although the app is healthy */
  checkFailing(output: string): void {
    const reason = output === '' ? 'its check fails, without any output' : `its check fails: ${output}`;
    this.#checkFailing = reason;
    this.#events.emit({
      type: 'check.failed',
      ...this.#instance,
      reason: output,
      cause: likelyCause(output),
    });
    this.setState(this.status$.value.state, reason);
  }

  checkRecovered(): void {
    this.#checkFailing = undefined;
    this.#events.emit({ type: 'check.recovered', ...this.#instance });
    // In another state the reason is another one.
    if (this.status$.value.state === 'registered') this.setState('registered');
  }

  deregistered(): void {
    this.#events.emit({ type: 'registration.deregistered', ...this.#instance });
  }

  deregistrationFailed(error: unknown, wasRegistered: boolean): void {
    this.#checkFailing = undefined;
    const reason = errorMessage(error);
    this.#events.emit({
      type: 'registration.deregistrationFailed',
      ...this.#instance,
      reason,
      wasRegistered,
    });
    // It asks the registry no more, so that it would not learn that it is back.
    this.#reachability.forget(this);
    if (wasRegistered) this.setState('unconfirmed', `deregistration failed: ${reason}`);
    else this.setState('deregistered');
  }
}
