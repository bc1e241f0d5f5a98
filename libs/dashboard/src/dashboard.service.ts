import { timingSafeEqual, createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type {
  DiscoveryEvents,
  DiscoveryService,
  RegistrationService,
  ServiceExplanation,
  TimedDiscoveryEvent,
} from '@rookery/discovery';
import {
  isExposedTo,
  toMilliseconds,
  type AppInspector,
  type DiscoverySections,
} from '@rookery/discovery/adapter';
import { Observable, Subject } from 'rxjs';
import type { DashboardOptions } from './dashboard-options.js';
import type { AppState, StatePatch } from './dashboard-state.js';
import { StateCollector } from './state-collector.js';
import { PEER_HEADER, SystemView, type PeerState } from './system-view.js';

export interface DashboardTools {
  readonly discovery: DiscoveryService;
  readonly registration: RegistrationService;
  readonly events: DiscoveryEvents;
  readonly sections: DiscoverySections;
  readonly inspector: AppInspector;
}

/** As Nest sends it. */
export interface StreamMessage {
  readonly type: string;
  readonly id?: string;
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
  readonly #tools: DashboardTools;
  readonly #options: DashboardOptions;
  readonly #path: string;
  readonly #collector: StateCollector;
  readonly #system: SystemView | undefined;
  readonly #messages = new Subject<StreamMessage>();
  readonly #releases: (() => void)[] = [];
  #viewers = 0;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #waiting: TimedDiscoveryEvent[] = [];
  #systemState: { readonly peers: readonly PeerState[]; readonly left: number } = { peers: [], left: 0 };
  #systemAt = -Infinity;
  #isAsking = false;

  constructor(tools: DashboardTools, options: DashboardOptions, path: string) {
    this.#tools = tools;
    this.#options = options;
    this.#path = path;
    const { operations = false, scope = 'app', peers = {} } = options;
    const { inspector, registration, sections, discovery, events } = tools;
    this.#collector = new StateCollector({
      inspector,
      registration,
      sections,
      operations,
      scope,
      now: () => Date.now(),
    });
    if (scope === 'all')
      this.#system = new SystemView(discovery, {
        path,
        secret: peers.secret,
        limit: peers.limit ?? 100,
        timeoutMs: toMilliseconds(peers.timeout ?? '1s', 'peers.timeout'),
      });
    const subscription = events.events$.subscribe((event) => this.#onEvent(event));
    this.#releases.push(() => subscription.unsubscribe());
    this.#schedule();
  }

  get operations(): boolean {
    return this.#options.operations ?? false;
  }

  /** Without a guard the page is for this host. */
  isAllowed(request: IncomingMessage): boolean {
    return (this.#options.guards ?? []).length > 0 || isExposedTo('loopback', request);
  }

  /** Whether another app of the system asks. */
  isPeer(request: IncomingMessage): boolean {
    const { secret, tls } = this.#options.peers ?? {};
    if (tls && (request.socket as Partial<TLSSocket>).authorized === true) return true;
    const given = request.headers[PEER_HEADER];
    return secret !== undefined && typeof given === 'string' && isSame(given, secret);
  }

  get state(): AppState {
    if (this.#viewers === 0) this.#collector.collect();
    return this.#collector.state;
  }

  /** @throws DiscoveryError for a name that is none */
  explain(service: string): Promise<ServiceExplanation> {
    // Only services in use: a request for a name must not start a watch.
    const known = this.#tools.inspector.services.find((each) => each.service === service);
    return Promise.resolve(
      known?.explain() ?? { service, query: {}, snapshot: undefined, usable: 0, lists: [], instances: [] },
    );
  }

  get stream(): Observable<StreamMessage> {
    return new Observable((subscriber) => {
      const subscription = this.#messages.subscribe(subscriber);
      this.#viewers++;
      this.#collector.collect();
      subscriber.next({ type: 'state', data: this.#collector.state });
      subscriber.next({ type: 'events', data: this.#tools.events.history.slice(-SHOWN_EVENTS) });
      if (this.#system) subscriber.next({ type: 'system', data: this.#systemState });
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
    this.#tools.registration.drain().catch(() => undefined);
  }

  async register(): Promise<void> {
    await this.#tools.registration.register();
  }

  uneject(service: string, id: string): boolean {
    return this.#tools.inspector.uneject(service, id);
  }

  get path(): string {
    return this.#path;
  }

  close(): void {
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
      this.#messages.next({ type: 'events', data: this.#waiting.splice(0) });
      // An event is a change of state: it is seen with it.
      this.#collect();
    }, SOON_MS).unref();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#collect();
        this.#schedule();
      },
      this.#viewers > 0 ? COLLECT_MS : COLLECT_IDLE_MS,
    ).unref();
  }

  #collect(): void {
    const patch = this.#collector.collect();
    if (this.#viewers === 0) return;
    if (!isEmpty(patch)) this.#messages.next({ type: 'patch', data: patch });
    if (this.#system && !this.#isAsking && Date.now() - this.#systemAt >= SYSTEM_MS)
      void this.#askSystem(this.#system);
  }

  /** Never rejects. */
  async #askSystem(system: SystemView): Promise<void> {
    this.#isAsking = true;
    try {
      this.#systemState = await system.collect(this.#collector.state.app.id, Date.now());
      this.#messages.next({ type: 'system', data: this.#systemState });
    } catch {
      // The registry does not answer: what is known stays.
    } finally {
      this.#systemAt = Date.now();
      this.#isAsking = false;
    }
  }
}

function isEmpty({ services, removed, registrations, sections }: StatePatch): boolean {
  return services.length === 0 && removed.length === 0 && !registrations && !sections;
}

/** In the same time for every text: hashes are of one length. */
function isSame(given: string, secret: string): boolean {
  const [a, b] = [given, secret].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
