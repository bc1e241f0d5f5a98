import type { Subscription } from 'rxjs';
import { ratesBetween, type CallCounts, type CallRates } from '../calling/call-statistics.js';
import type { ServiceCaller } from '../calling/service-caller.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import type { ServiceSnapshot } from '../catalog/service-snapshot.js';
import type { TimedDiscoveryEvent } from '../events/discovery-event.js';
import type { DiscoveryEvents } from '../events/discovery-events.js';
import type { RegistrationService } from '../registration/registration.service.js';
import { instanceKey, type ServiceInstance } from '../registry/service-instance.js';
import type { ObservedApp, ObservedService } from './observed-app.js';

export interface ObserverSources {
  readonly events: DiscoveryEvents;
  readonly catalog: ServiceCatalog;
  readonly caller: ServiceCaller;
  readonly registration: RegistrationService;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const HISTORY_MS = 3_600_000;
/** Statistics are kept at most this densely. */
const SAMPLE_MS = 1_000;

interface KnownInstance {
  instance: ServiceInstance;
  since: number;
  knownSince: number;
  hasPassed: boolean;
  changes: number[];
}

interface KnownService {
  readonly instances: Map<string, KnownInstance>;
  departures: number[];
  subscription: Subscription | undefined;
  snapshot: ServiceSnapshot | undefined;
  /** Counters at earlier moments, oldest first. */
  samples: { readonly at: number; readonly counts: CallCounts }[];
}

/** Keeps what the rules of alerts ask for, from events and lists: what is now, and since when. */
export class AppObserver {
  readonly #sources: ObserverSources;
  readonly #services = new Map<string, KnownService>();
  readonly #inMaintenance = new Set<string>();
  readonly #rejectedConfig = new Map<string, string>();
  /** By key and fence: of a semaphore this process may hold several permits. */
  readonly #overdue = new Map<string, { readonly key: string; readonly since: number }>();
  readonly #contested = new Map<string, number>();
  readonly #events: Subscription;

  constructor(sources: ObserverSources) {
    this.#sources = sources;
    for (const event of sources.events.history) this.#onEvent(event);
    this.#events = sources.events.events$.subscribe((event) => this.#onEvent(event));
  }

  /** Follows the list of a service, whether the app calls it or not. */
  watch(service: string): void {
    const known = this.#known(service);
    known.subscription ??= this.#sources.catalog
      .watch(service)
      .subscribe((snapshot) => this.#onSnapshot(known, snapshot));
  }

  /** What is known now. */
  observe(): ObservedApp {
    const { registration, catalog, now } = this.#sources;
    const at = now();
    const states = new Map(catalog.states.map((state) => [state.service, state]));
    // Looked at, and not subscribed to: a service that is not used any more is not to be watched for this.
    for (const { service, snapshot } of catalog.widestViews)
      if (snapshot) this.#onSnapshot(this.#known(service), snapshot);
    this.#sample(at);
    for (const [name, { subscription }] of this.#services)
      if (!states.has(name) && !subscription && !this.#sources.caller.find(name)) this.#services.delete(name);
    const services = [...this.#services].map(([name, known]): ObservedService => {
      const state = states.get(name);
      return {
        name,
        instances: state?.ageMs === undefined ? undefined : [...known.instances.values()],
        ageMs: state?.ageMs,
        error: state?.error,
        departures: known.departures,
        calls: (withinMs) => this.#calls(name, known, at, withinMs),
      };
    });
    return {
      now: at,
      name: registration.instance.service,
      registrations: registration.status.instances,
      inMaintenance: this.#inMaintenance,
      services,
      rejectedConfig: this.#rejectedConfig,
      overdueLocks: this.#overdueLocks(),
      contested: this.#contested,
    };
  }

  /** Samples the counters of calls; to be called at least every few seconds. */
  #sample(at: number): void {
    for (const { name, statistics } of this.#sources.caller.services) {
      const { samples } = this.#known(name);
      const last = samples.at(-1);
      if (last && at - last.at < SAMPLE_MS) continue;
      samples.push({ at, counts: statistics.snapshot });
      while (samples[0] && at - samples[0].at > HISTORY_MS) samples.shift();
      if (samples.length > MAX_SAMPLES) samples.splice(0, samples.length, ...thinOut(samples));
    }
  }

  #calls(name: string, { samples }: KnownService, at: number, withinMs: number): CallRates | undefined {
    const after = this.#sources.caller.find(name)?.statistics.snapshot;
    if (!after) return undefined;
    // Without one that is old enough, the app itself is younger.
    const before = samples.findLast((sample) => at - sample.at >= withinMs);
    const rates = ratesBetween(before?.counts, after);
    return rates.calls > 0 ? rates : undefined;
  }

  close(): void {
    this.#events.unsubscribe();
    for (const { subscription } of this.#services.values()) subscription?.unsubscribe();
    this.#services.clear();
  }

  #known(service: string): KnownService {
    let known = this.#services.get(service);
    if (!known) {
      known = {
        instances: new Map(),
        departures: [],
        subscription: undefined,
        snapshot: undefined,
        samples: [],
      };
      this.#services.set(service, known);
    }
    return known;
  }

  #onSnapshot(known: KnownService, snapshot: ServiceSnapshot): void {
    if (known.snapshot === snapshot) return;
    known.snapshot = snapshot;
    const { instances } = snapshot;
    const now = this.#sources.now();
    const gone = new Map(known.instances);
    for (const instance of instances) {
      const key = instanceKey(instance);
      gone.delete(key);
      const before = known.instances.get(key);
      const isPassing = instance.status === 'passing';
      if (!before) {
        const fresh = { instance, since: now, knownSince: now, hasPassed: isPassing, changes: [] };
        known.instances.set(key, fresh);
        continue;
      }
      if (before.instance.status !== instance.status) {
        before.since = now;
        before.changes = [...before.changes.filter((at) => now - at < HISTORY_MS), now];
      }
      before.instance = instance;
      before.hasPassed ||= isPassing;
    }
    for (const [key, { instance }] of gone) {
      known.instances.delete(key);
      // One that was failing did not leave: it was removed.
      if (instance.status === 'passing' || instance.status === 'warning') known.departures.push(now);
    }
    known.departures = known.departures.filter((at) => now - at < HISTORY_MS);
  }

  #onEvent(event: TimedDiscoveryEvent): void {
    switch (event.type) {
      case 'maintenance.started':
        for (const name of this.#named(event.service)) this.#inMaintenance.add(name);
        break;
      case 'maintenance.ended':
        for (const name of this.#named(event.service)) this.#inMaintenance.delete(name);
        break;
      case 'config.invalid':
        this.#rejectedConfig.set(event.key, event.reason);
        break;
      case 'config.valid':
        this.#rejectedConfig.delete(event.key);
        break;
      case 'lock.overdue':
        this.#overdue.set(`${event.key} ${event.fence}`, {
          key: event.key,
          since: event.timestamp - event.heldMs,
        });
        break;
      case 'lock.released':
      case 'lock.lost':
        this.#overdue.delete(`${event.key} ${event.fence}`);
        break;
      case 'registration.contested':
        this.#contested.set(event.id, event.timestamp);
        break;
      case 'registration.restored':
        // Each repair of a contest shows that it goes on.
        if (event.isContested) this.#contested.set(event.id, event.timestamp);
        break;
      default:
    }
  }

  /** Each with the one that is held for the longest. */
  #overdueLocks(): ReadonlyMap<string, number> {
    const locks = new Map<string, number>();
    for (const { key, since } of this.#overdue.values())
      locks.set(key, Math.min(since, locks.get(key) ?? Infinity));
    return locks;
  }

  /** Undefined: all services of the app. */
  #named(service: string | undefined): readonly string[] {
    if (service !== undefined) return [service];
    return this.#sources.registration.status.instances.flatMap(({ service: each }) => each ?? []);
  }
}

const MAX_SAMPLES = 240;

/** Every other one of the older half: the longer ago, the less it matters when exactly. */
function thinOut<T>(samples: readonly T[]): T[] {
  const half = samples.length / 2;
  return samples.filter((_, index) => index >= half || index % 2 === 0);
}
