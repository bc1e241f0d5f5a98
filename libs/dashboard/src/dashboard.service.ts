import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { Logger } from '@nestjs/common';
import type {
  DiscoveryEvents,
  DiscoveryService,
  RegistrationService,
  ServiceExplanation,
  TimedDiscoveryEvent,
} from '@rookery/discovery';
import {
  errorMessage,
  isCrossSite,
  isExposedTo,
  tlsTo,
  toMilliseconds,
  type AppInspector,
  type DiscoverySections,
  type ServiceRegistry,
} from '@rookery/discovery/adapter';
import { EMPTY, Observable, Subject } from 'rxjs';
import type { DashboardOptions } from './dashboard-options.js';
import type { AppState, StatePatch, SystemState } from './dashboard-state.js';
import { isSigned, PEER_HEADER } from './peer-signature.js';
import { PeerConnections } from './peer-connections.js';
import { StateCollector } from './state-collector.js';
import { SystemView } from './system-view.js';

export interface DashboardTools {
  readonly registry: ServiceRegistry;
  readonly registration: RegistrationService;
  readonly events: DiscoveryEvents;
  readonly sections: DiscoverySections;
  readonly inspector: AppInspector;
  readonly discovery: DiscoveryService;
}

/** Where the page is, and what decides about its requests: known when its routes are made. */
export interface DashboardPlace {
  readonly path: string;
  readonly hasGuards: boolean;
  /** The global prefix of the app. */
  readonly prefix: () => string;
}

/** As Nest sends it. What all viewers get is a text: it is written once for all of them. */
export interface StreamMessage {
  readonly type: string;
  readonly data: object | string;
}

const COLLECT_MS = 1_000;
/** Without viewers the history of states is still kept, less often. */
const COLLECT_IDLE_MS = 5_000;
const SYSTEM_MS = 3_000;
const PING_MS = 15_000;
/** Events within this time are one message, and a change of state is seen as soon. */
const SOON_MS = 100;
const SHOWN_EVENTS = 1_000;

/** Collects the state for all viewers together, and streams what changes to each of them. */
export class DashboardService {
  readonly #logger = new Logger('Dashboard');
  readonly #tools: DashboardTools;
  readonly #options: DashboardOptions;
  readonly #place: DashboardPlace;
  readonly #collector: StateCollector;
  readonly #system: SystemView | undefined;
  readonly #messages = new Subject<StreamMessage>();
  readonly #releases: (() => void)[] = [];
  #viewers = 0;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #waiting: TimedDiscoveryEvent[] = [];
  #systemState: SystemState = { peers: [], left: 0 };
  #systemText = '';
  #systemAt = -Infinity;
  #collectedAt = -Infinity;
  #isAsking = false;
  #hasWarned = false;
  #isClosed = false;

  constructor(tools: DashboardTools, options: DashboardOptions, place: DashboardPlace) {
    this.#tools = tools;
    this.#options = options;
    this.#place = place;
    const { operations = false, scope = 'app', peers = {} } = options;
    const { inspector, registration, sections, registry, events, discovery } = tools;
    this.#collector = new StateCollector({
      ...{ inspector, registration, sections, operations, scope },
      now: () => Date.now(),
      ticks: () => performance.now(),
    });
    if (scope === 'all') {
      const connections = new PeerConnections((instance) => tlsTo(discovery, instance));
      const system = new SystemView(registry, {
        path: place.prefix() + place.path,
        secret: peers.secret,
        limit: peers.limit ?? 100,
        timeoutMs: toMilliseconds(peers.timeout ?? '1s', 'peers.timeout'),
        isOwn: (host) => registration.isAdvertised(host),
        dispatcherTo: (instance) => connections.to(instance),
      });
      this.#system = system;
      this.#releases.push(
        () => system.close(),
        () => connections.close(),
      );
    }
    const subscription = events.events$.subscribe((event) => this.#onEvent(event));
    this.#releases.push(() => subscription.unsubscribe());
    // An open page is a request that never ends: the app would wait for it before it closes.
    registration.shutdownSignal.addEventListener('abort', () => this.close(), { once: true });
    this.#schedule();
  }

  get operations(): boolean {
    return this.#options.operations ?? false;
  }

  /** Without a guard the page is for this host. A script of another site gets nothing in any case. */
  isAllowed(request: IncomingMessage): boolean {
    return (this.#place.hasGuards || isExposedTo('loopback', request)) && !isCrossSite(request.headers);
  }

  /** Whether another app of the system asks. */
  isPeer({ headers, socket }: IncomingMessage): boolean {
    const { secret, tls } = this.#options.peers ?? {};
    if (tls && (socket as Partial<TLSSocket>).authorized === true) return true;
    return secret !== undefined && isSigned(headers[PEER_HEADER], headers.host ?? '', secret, Date.now());
  }

  get state(): AppState {
    this.#collect();
    return this.#collector.state;
  }

  explain(service: string): ServiceExplanation {
    const nothing = { service, query: {}, snapshot: undefined, usable: 0, lists: [], instances: [] };
    return this.#tools.inspector.explain(service) ?? nothing;
  }

  get stream(): Observable<StreamMessage> {
    if (this.#isClosed) return EMPTY;
    return new Observable((subscriber) => {
      // What has changed is for those that are there already: the new viewer gets all there is.
      this.#collect();
      subscriber.next({ type: 'state', data: this.#collector.state });
      subscriber.next({ type: 'events', data: this.#tools.events.history.slice(-SHOWN_EVENTS) });
      if (this.#system) subscriber.next({ type: 'system', data: this.#systemState });
      const subscription = this.#messages.subscribe(subscriber);
      this.#viewers++;
      const ping = setInterval(() => subscriber.next({ type: 'ping', data: String(Date.now()) }), PING_MS);
      this.#schedule();
      return () => {
        clearInterval(ping);
        subscription.unsubscribe();
        this.#viewers--;
      };
    });
  }

  async setMaintenance(on: boolean, reason: string): Promise<void> {
    await this.#tools.registration.setMaintenance(on, reason);
  }

  /** It takes as long as callers do to leave. */
  drain(): void {
    this.#tools.registration.drain().catch((error: unknown) => this.#logger.warn(errorMessage(error)));
  }

  async register(): Promise<void> {
    await this.#tools.registration.register();
  }

  uneject(service: string, id: string): boolean {
    return this.#tools.inspector.uneject(service, id);
  }

  /** Ends the streams. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#soon);
    for (const release of this.#releases.splice(0)) release();
    this.#messages.complete();
  }

  #onEvent(event: TimedDiscoveryEvent): void {
    if (this.#viewers === 0) return;
    this.#waiting.push(event);
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#messages.next({ type: 'events', data: JSON.stringify(this.#waiting.splice(0)) });
      // An event is a change of state: it is seen with it, unless the next look is near anyway.
      if (performance.now() - this.#collectedAt >= COLLECT_MS / 2) this.#collect();
    }, SOON_MS).unref();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(
      () => {
        this.#collect();
        this.#schedule();
      },
      this.#viewers > 0 ? COLLECT_MS : COLLECT_IDLE_MS,
    ).unref();
  }

  /** Never throws: a page that shows what is wrong must not be what goes wrong. */
  #collect(): void {
    this.#collectedAt = performance.now();
    try {
      const patch = this.#collector.collect();
      if (this.#viewers > 0 && !isEmpty(patch))
        this.#messages.next({ type: 'patch', data: JSON.stringify(patch) });
    } catch (error) {
      if (!this.#hasWarned) this.#logger.warn(`the state cannot be collected: ${errorMessage(error)}`);
      this.#hasWarned = true;
    }
    const isDue = performance.now() - this.#systemAt >= SYSTEM_MS;
    if (this.#system && this.#viewers > 0 && !this.#isAsking && isDue) void this.#askSystem(this.#system);
  }

  /** Never rejects. */
  async #askSystem(system: SystemView): Promise<void> {
    this.#isAsking = true;
    try {
      this.#systemState = await system.collect(this.#collector.state.app.id, performance.now());
      const text = JSON.stringify(this.#systemState);
      if (text !== this.#systemText) this.#messages.next({ type: 'system', data: text });
      this.#systemText = text;
    } catch (error) {
      // The registry does not answer: what is known stays.
      this.#logger.debug(`the other apps cannot be found: ${errorMessage(error)}`);
    } finally {
      this.#systemAt = performance.now();
      this.#isAsking = false;
    }
  }
}

function isEmpty({ services, removed, registrations, sections }: StatePatch): boolean {
  return services.length === 0 && removed.length === 0 && !registrations && !sections;
}
