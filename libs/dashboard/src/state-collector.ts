import { hostname } from 'node:os';
import type { RegistrationService } from '@rookery/discovery';
import type { AppInspector, DiscoverySections, InspectedService } from '@rookery/discovery/adapter';
import { CallSeries } from './call-series.js';
import type {
  AppState,
  InstanceCard,
  RegistrationState,
  ServiceCard,
  StatePatch,
} from './dashboard-state.js';
import { StateHistory } from './state-history.js';

export interface CollectorSources {
  readonly inspector: AppInspector;
  readonly registration: RegistrationService;
  readonly sections: DiscoverySections;
  readonly operations: boolean;
  readonly scope: 'app' | 'all';
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly ticks: () => number;
}

interface KnownService {
  readonly series: CallSeries;
  readonly histories: Map<string, StateHistory>;
  version: string;
  card: ServiceCard;
}

const EMPTY: ServiceCard = {
  name: '',
  usable: 0,
  ageMs: undefined,
  error: undefined,
  calls: undefined,
  rates: [],
  latencies: [],
  failures: [],
  circuit: undefined,
  instances: [],
};
/** The age of a list is shown in steps, so that a list that is merely older is no change. */
const AGE_STEP_MS = 10_000;

/** Keeps the state that the page shows, and finds what has changed in it: most of it does not, from one second to the next. */
export class StateCollector {
  readonly #sources: CollectorSources;
  readonly #services = new Map<string, KnownService>();
  readonly #startedAt: number;
  #registrations = '';
  #sections = '';

  constructor(sources: CollectorSources) {
    this.#sources = sources;
    this.#startedAt = sources.now();
  }

  /** All there is. */
  get state(): AppState {
    const { registration, sections, operations, scope, now } = this.#sources;
    const { service, id } = registration.instance;
    return {
      app: {
        service,
        id: id ?? `${service ?? 'app'}-${hostname()}-${process.pid}`,
        pid: process.pid,
        host: hostname(),
        startedAt: this.#startedAt,
      },
      at: now(),
      registrations: registrationsOf(registration),
      services: [...this.#services.values()].map(({ card }) => card),
      sections: sections.explain(),
      operations,
      scope,
    };
  }

  /** Looks at everything once, which is to be done about once a second. */
  collect(): StatePatch {
    const { inspector, registration, sections, now } = this.#sources;
    const at = now();
    const inspected = inspector.services;
    const changed = inspected.flatMap((service) => this.#update(service, at) ?? []);
    const names = new Set(inspected.map(({ service }) => service));
    const removed = [...this.#services.keys()].filter((name) => !names.has(name));
    for (const name of removed) this.#services.delete(name);
    const registrations = registrationsOf(registration);
    const explained = sections.explain();
    const patch: StatePatch = {
      at,
      services: changed,
      removed,
      ...(this.#isNew('#registrations', registrations) ? { registrations } : {}),
      ...(this.#isNew('#sections', explained) ? { sections: explained } : {}),
    };
    return patch;
  }

  #isNew(which: '#registrations' | '#sections', value: unknown): boolean {
    const text = JSON.stringify(value);
    const isNew = text !== (which === '#registrations' ? this.#registrations : this.#sections);
    if (which === '#registrations') this.#registrations = text;
    else this.#sections = text;
    return isNew;
  }

  /** @returns undefined when there is nothing new */
  #update(inspected: InspectedService, at: number): ServiceCard | undefined {
    const { service: name, version, calls, ageMs, error } = inspected;
    let known = this.#services.get(name);
    if (!known) {
      known = { series: new CallSeries(), histories: new Map(), version: '', card: { ...EMPTY, name } };
      this.#services.set(name, known);
    }
    const hasCalls = known.series.sample(calls, this.#sources.ticks());
    const isOlder = step(ageMs) !== step(known.card.ageMs);
    if (version === known.version && !hasCalls && !isOlder && error === known.card.error) return undefined;
    known.version = version;
    known.card = this.#card(inspected, known, at);
    return known.card;
  }

  #card(inspected: InspectedService, { series, histories }: KnownService, at: number): ServiceCard {
    const { service: name, ageMs, error, inFlight } = inspected;
    const explained = inspected.explain();
    const seen = new Set<string>();
    const instances = explained.instances.map((instance): InstanceCard => {
      const { id, address, state, reason, zone, weight } = instance;
      const key = `${instance.datacenter} ${instance.node} ${id} ${address}`;
      seen.add(key);
      let history = histories.get(key);
      if (!history) histories.set(key, (history = new StateHistory()));
      history.note(state, at);
      return {
        key,
        id,
        address,
        state,
        reason,
        since: history.since,
        zone,
        weight: instance.calls?.weight ?? weight,
        latencyMs: instance.calls?.latencyMs,
        successRate: instance.calls?.successRate,
        inFlight: instance.calls?.inFlight,
        history: [...history.all],
      };
    });
    for (const key of histories.keys()) if (!seen.has(key)) histories.delete(key);
    const last = series.points.at(-1);
    return {
      name,
      usable: explained.usable,
      ageMs,
      error,
      calls: last && { ...last, inFlight },
      rates: series.points.map(({ perSecond }) => perSecond),
      latencies: series.points.map(({ p99Ms }) => Math.round((p99Ms ?? 0) * 10) / 10),
      failures: series.points.map(({ failedPerSecond }) => failedPerSecond),
      circuit: explained.limits?.circuit,
      instances,
    };
  }
}

function registrationsOf({ status }: RegistrationService): RegistrationState[] {
  return status.instances.map(({ service, id, state, reason }) => ({ service, id, state, reason }));
}

function step(ageMs: number | undefined): number {
  // While all is well it is at most about a minute.
  return ageMs === undefined ? -1 : ageMs < 70_000 ? 0 : Math.floor(ageMs / AGE_STEP_MS);
}
