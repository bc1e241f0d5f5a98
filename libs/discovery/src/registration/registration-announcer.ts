import type { LoggerService } from '@nestjs/common';
import { BehaviorSubject } from 'rxjs';
import { DiscoveryError } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/error-message.js';
import type { DiscoveryEvents } from '../events/discovery-events.js';
import type { Clock } from '../timing/clock.js';
import type { InstanceRegistrationStatus } from './registration-status.js';

export interface AnnouncedInstance {
  readonly id: string;
  readonly service: string;
  /** Where it is registered, for messages. */
  readonly registry: string;
}

/** Tells what happens to one registration: log lines for people, events and a status for programs. */
export class RegistrationAnnouncer {
  readonly status$: BehaviorSubject<InstanceRegistrationStatus>;
  readonly #instance: AnnouncedInstance;
  readonly #logger: LoggerService;
  readonly #events: DiscoveryEvents;
  readonly #clock: Clock;
  #lostSince: number | undefined;
  #awaySince: number | undefined;
  #toldOfFight = false;
  #heartIsTroubled = false;

  constructor(instance: AnnouncedInstance, logger: LoggerService, events: DiscoveryEvents, clock: Clock) {
    this.#instance = instance;
    this.#logger = logger;
    this.#events = events;
    this.#clock = clock;
    const { id, service } = instance;
    this.status$ = new BehaviorSubject<InstanceRegistrationStatus>({
      state: 'idle',
      id,
      service,
      reason: undefined,
    });
  }

  tell(state: InstanceRegistrationStatus['state'], reason?: string): void {
    const last = this.status$.value;
    if (last.state !== state || last.reason !== reason) this.status$.next({ ...last, state, reason });
  }

  notReady(output: string): void {
    if (this.status$.value.reason !== output)
      this.#logger.warn(`not registered yet, the app is not ready: ${output}`);
    this.tell('waiting', output);
  }

  /** `repairs` are those of the last minute, when somebody keeps undoing them. */
  lost(because: string, repairs: number | undefined): void {
    const { id, service, registry } = this.#instance;
    this.#lostSince ??= this.#clock.now();
    this.#events.emit({ type: 'registration.lost', id, service, reason: because });
    this.tell('waiting', because);
    if (repairs === undefined) {
      this.#toldOfFight = false;
      this.#logger.warn(`"${id}" in ${registry}: ${because}; registering it again`);
      return;
    }
    if (this.#toldOfFight) return;
    this.#toldOfFight = true;
    this.#logger.error(
      `somebody else writes "${id}" to ${registry} too: ${repairs} repairs in the last minute. There will be no more ` +
        'than 6 a minute, without a line for each. Look for a second app with this id, a script, or another registrator',
    );
    this.#events.emit({ type: 'registration.contested', id, service, reason: because, repairs });
  }

  registered(because: string | undefined): void {
    const { id, service, registry } = this.#instance;
    if (because === undefined) {
      this.#logger.log(`"${id}" is registered with ${registry}`);
      this.#events.emit({ type: 'registration.registered', id, service });
    } else {
      const after = this.#clock.now() - (this.#lostSince ?? this.#clock.now());
      if (!this.#toldOfFight) this.#logger.log(`"${id}" is registered again with ${registry}`);
      this.#events.emit({ type: 'registration.restored', id, service, reason: because, after });
    }
    this.#lostSince = undefined;
    this.tell('registered');
  }

  conflict(because: string): void {
    if (this.status$.value.reason === because) return;
    const { id, service } = this.#instance;
    this.#logger.error(
      `"${id}" is not registered: ${because}. ` +
        'Give each instance an id of its own: leave out service.id, or make host and port a part of it',
    );
    this.#events.emit({ type: 'registration.conflict', id, service, reason: because });
    this.tell('waiting', because);
  }

  failed(error: unknown, isFirst: boolean, isRegistered: boolean): void {
    if (isFirst) this.#logger.warn(this.#explain(error));
    if (error instanceof DiscoveryError && AWAY.has(error.code) && this.#awaySince === undefined) {
      this.#awaySince = this.#clock.now();
      this.#events.emit({ type: 'registry.unreachable', reason: reasonOf(error) });
    }
    this.tell(isRegistered ? 'unreachable' : 'waiting', reasonOf(error));
  }

  /** @returns whether the registry had been away */
  answered(): boolean {
    if (this.#awaySince === undefined) return false;
    this.#events.emit({ type: 'registry.reachable', after: this.#clock.now() - this.#awaySince });
    this.#awaySince = undefined;
    return true;
  }

  stalled(lag: number): void {
    const { id, service } = this.#instance;
    const seconds = (lag / 1000).toFixed(1);
    this.#logger.warn(`the event loop stood still for ${seconds} s, and the heartbeat of "${id}" with it`);
    this.#events.emit({ type: 'heartbeat.stalled', id, service, lag });
  }

  /** Beats that do not arrive, while everything else seems well; undefined: they do again. */
  heartbeat(error: unknown): void {
    const { id, service, registry } = this.#instance;
    const { state } = this.status$.value;
    if (error === undefined) {
      if (!this.#heartIsTroubled) return;
      this.#heartIsTroubled = false;
      this.#logger.log(`the heartbeat of "${id}" reaches ${registry} again`);
      this.#events.emit({ type: 'heartbeat.recovered', id, service });
      if (state === 'unreachable') this.tell('registered');
      return;
    }
    if (state !== 'registered') return;
    this.#heartIsTroubled = true;
    const reason = `its heartbeat does not arrive: ${reasonOf(error)}`;
    this.#logger.warn(`"${id}" in ${registry}: ${reason}; its check will run out`);
    this.#events.emit({ type: 'heartbeat.failed', id, service, reason });
    this.tell('unreachable', reason);
  }

  deregistered(): void {
    const { id, service, registry } = this.#instance;
    this.#logger.log(`"${id}" is deregistered from ${registry}`);
    this.#events.emit({ type: 'registration.deregistered', id, service });
  }

  notDeregistered(error: unknown, wasRegistered: boolean): void {
    const { id, registry } = this.#instance;
    const outlook = wasRegistered
      ? 'Its check will take it out of use there'
      : 'It had never been registered there';
    this.#logger.warn(`"${id}" could not be deregistered from ${registry}: ${reasonOf(error)}. ${outlook}`);
    if (wasRegistered) this.tell('unreachable', `it could not be deregistered: ${reasonOf(error)}`);
    else this.tell('deregistered');
  }

  #explain(error: unknown): string {
    const outlook = isHopeful(error)
      ? 'trying again in the background'
      : 'somebody has to mend this; trying again all the same';
    return `cannot keep "${this.#instance.id}" registered, ${outlook}: ${reasonOf(error)}`;
  }
}

/** Whether trying again may help, without anybody doing anything. */
export function isHopeful(error: unknown): boolean {
  return !(error instanceof DiscoveryError) || HOPEFUL.has(error.code);
}

const AWAY: ReadonlySet<string> = new Set([
  'RK_REGISTRY_UNREACHABLE',
  'RK_REGISTRY_TIMEOUT',
  'RK_REGISTRY_NO_LEADER',
]);
const HOPEFUL: ReadonlySet<string> = new Set([...AWAY, 'RK_REGISTRY_LIMITED', 'RK_REGISTRY_FAILED']);
