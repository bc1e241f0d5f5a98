import type { LoggerService } from '@nestjs/common';
import { Observable } from 'rxjs';
import { shutDown } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/error-message.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { IsolatedObservable } from '../events/isolated-observable.js';
import type { InstanceSource } from '../registry/instance-source.js';
import { Reachability } from '../registry/reconnect-signal.js';
import {
  assertQuery,
  failoverOf,
  keyOfUnchecked,
  queryKey,
  sourceQueryOf,
  type ServiceQuery,
} from '../registry/service-query.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import { bounded } from '../timing/with-timeout.js';
import type { Clock, Random } from '../timing/clock.js';
import { outsideOfRequests } from '../timing/detach-async-context.js';
import { explainView, type ServiceExplanation } from './explanation.js';
import type { InstanceProbe } from '../registry/instance-probe.js';
import { OutageLog } from './outage/outage-log.js';
import { RegistryScout } from './outage/recovery-ping.js';
import type { SavedList } from './last-known-list.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import { ServiceView, type Leg } from './service-view.js';
import { ServiceWatcher } from './service-watcher.js';
import type { SnapshotStore } from './snapshot-store.js';
import { tellOperator } from '../events/event-logger.js';

export interface CatalogOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: LoggerService;
  readonly reachability: Reachability;
  readonly probe: InstanceProbe;
  /** How long the very first use of a service may wait for its list, in milliseconds. */
  readonly firstListTimeout: number;
  readonly emit?: (event: DiscoveryEvent) => void;
  /** Where instances are looked up, best first; `registry` is the registry itself. Default: only that. */
  readonly sources?: readonly ('registry' | InstanceSource)[];
  /** `first`: the first source that has usable instances; `all`: those of all sources. Default: `first`. */
  readonly merge?: 'first' | 'all';
  readonly store?: SnapshotStore | undefined;
}

/** A source, and what its watches have in common. */
interface Sourced {
  readonly source: InstanceSource;
  readonly reachability: Reachability;
  readonly outages: OutageLog;
  readonly scout: RegistryScout;
}

interface Watch {
  readonly onDisk: string;
  readonly watcher: ServiceWatcher;
  readonly views: Set<ServiceView>;
}

interface Viewed {
  readonly view: ServiceView;
  readonly watches: readonly Watch[];
}

/** A watch that nobody has used for so long ends; its last list is kept for when the registry is away at the next use. */
const IDLE_MS = 5 * 60_000;
const SWEEP_MS = 60_000;
const LAST_WRITE_MS = 2_000;
/** Queries may be made up by the users of an app. */
const MOST_RETIRED = 1_000;
/** Calls are made on a list as long as somebody has asked for it within this time. */
const IN_USE_MS = 60_000;

/**
 * The local picture of all services in use. Each distinct question to a registry has one watch, started by its first use;
 * what only narrows down its answer (tags, meta, a range of versions) is a view on that.
 */
export class ServiceCatalog {
  readonly #sources: readonly Sourced[];
  readonly #options: CatalogOptions;
  readonly #emit: (event: DiscoveryEvent) => void;
  readonly #watches = new Map<string, Watch>();
  readonly #views = new Map<string, Viewed>();
  /** The last lists of watches that ended. */
  readonly #retired = new Map<string, SavedList>();
  #sweep: (() => void) | undefined;
  #closed = false;

  constructor(registry: ServiceRegistry, options: CatalogOptions) {
    this.#options = options;
    this.#emit = (event) => {
      tellOperator(event, options.logger);
      options.emit?.(event);
    };
    const { clock, random, logger, sources = ['registry'] } = options;
    this.#sources = sources.map((named) => {
      const source = named === 'registry' ? registry : named;
      const reachability = named === 'registry' ? options.reachability : new Reachability();
      return {
        source,
        reachability,
        outages: new OutageLog(logger, source.description),
        scout: new RegistryScout(source, { clock, random, reachability }),
      };
    });
  }

  /** From memory when there is a list, however old; else the first list, or the reason why there is none. */
  async snapshot(service: string, query: ServiceQuery = {}): Promise<ServiceSnapshot> {
    const view = this.#view(service, query);
    return view.use() ?? this.firstList(view);
  }

  /** What a query sees, for those who ask again and again. Closed when nobody has asked for a while: then open another. */
  open(service: string, query: ServiceQuery = {}): ServiceView {
    return this.#view(service, query);
  }

  /** Waits for a view's first list as long as a call may. */
  firstList(view: ServiceView): Promise<ServiceSnapshot> {
    return view.first(this.#options.firstListTimeout);
  }

  /**
   * The present snapshot at once, then each new one. The watch starts with the first subscription, and goes on while there
   * is one. A subscriber that throws is logged, and harms nobody.
   */
  watch(service: string, query: ServiceQuery = {}): Observable<ServiceSnapshot> {
    const watched = new Observable<ServiceSnapshot>((subscriber) => {
      if (this.#closed) subscriber.complete();
      else return this.#view(service, query).snapshots$.subscribe(subscriber);
      return undefined;
    });
    return new IsolatedObservable(watched, this.#onThrown(service));
  }

  /** What is known of a service, and why calls go where they go; waits for a first list as a call does. */
  async explain(service: string, query: ServiceQuery = {}): Promise<ServiceExplanation> {
    const view = this.#view(service, query);
    // Why there is none is part of the explanation.
    await view.first(this.#options.firstListTimeout).catch(() => undefined);
    return explainView(view);
  }

  /** Of everything that is watched at present. */
  explainAll(): readonly ServiceExplanation[] {
    return [...this.#views.values()].map(({ view }) => explainView(view));
  }

  /** The names that any source knows, sorted; a source that is away is left out unless all are. */
  async services(signal: AbortSignal): Promise<string[]> {
    const asked = await Promise.allSettled(this.#sources.map(({ source }) => source.services(signal)));
    const names = asked.flatMap((answer) => (answer.status === 'fulfilled' ? Object.keys(answer.value) : []));
    const [first] = asked;
    if (first?.status === 'rejected' && asked.every(({ status }) => status === 'rejected'))
      throw first.reason as Error;
    return [...new Set(names)].sort();
  }

  /** For how many milliseconds the list that is out of date the longest has not been confirmed; undefined: none is. */
  oldestStaleness(): number | undefined {
    const since = [...this.#watches.values()].flatMap(({ watcher }) => watcher.staleSince ?? []);
    return since.length === 0 ? undefined : Math.round(this.#options.clock.now() - Math.min(...since));
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** How many watches run. */
  get watches(): number {
    return this.#watches.size;
  }

  /** Ends every watch, for good. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#sweep?.();
    for (const { view } of this.#views.values()) view.close();
    for (const { watcher } of this.#watches.values()) watcher.stop();
    for (const { scout } of this.#sources) scout.close();
    this.#views.clear();
    this.#watches.clear();
    const others = (this.#options.sources ?? []).filter((source) => source !== 'registry');
    const { store, clock } = this.#options;
    // A disk that hangs must not keep the app from ending.
    const written = store && bounded(clock, LAST_WRITE_MS, store.flush(), () => new Error('too late'));
    await Promise.allSettled([written, ...others.map((source) => source.close())]);
  }

  #view(service: string, query: ServiceQuery): ServiceView {
    const key = keyOfUnchecked(service, query);
    const known = this.#views.get(key);
    if (known) return known.view;
    assertQuery(service, query);
    if (this.#closed) throw shutDown();
    // The request that asks first is not the one for which the watch goes on.
    return outsideOfRequests(() => this.#begin(key, service, query));
  }

  #begin(key: string, service: string, query: ServiceQuery): ServiceView {
    const { clock } = this.#options;
    const legs = this.#legs(service, query);
    const view = new ServiceView(
      service,
      query,
      legs.map(({ leg }) => leg),
      { clock, emit: this.#emit, onThrown: this.#onThrown(service) },
    );
    for (const { watch } of legs) watch.views.add(view);
    this.#views.set(key, { view, watches: legs.map(({ watch }) => watch) });
    this.#sweep ??= clock.after(SWEEP_MS, () => this.#endIdle());
    return view;
  }

  /** Each source in its order, and for the registry itself each datacenter that may stand in. */
  #legs(service: string, query: ServiceQuery): { leg: Leg; watch: Watch }[] {
    const { sources = ['registry'], merge = 'first' } = this.#options;
    return this.#sources.flatMap((sourced, at) => {
      const isRegistry = sources[at] === 'registry';
      const others = isRegistry ? (failoverOf(query)?.to ?? []) : [];
      return [query.datacenter, ...others].map((datacenter, nth) => {
        const watch = this.#watch(at, service, query, datacenter);
        const name = datacenter ?? (others.length > 0 ? 'the own datacenter' : sourced.source.description);
        return { leg: { name, watcher: watch.watcher, merge: nth === 0 ? merge : 'first' }, watch };
      });
    });
  }

  #watch(at: number, service: string, query: ServiceQuery, datacenter: string | undefined): Watch {
    const asked = sourceQueryOf(query, datacenter);
    const key = `${at} ${queryKey(service, asked)}`;
    const known = this.#watches.get(key);
    if (known) return known;
    const sourced = this.#sources[at];
    if (!sourced) throw new RangeError(`no source ${at}`);
    const { source, reachability, outages, scout } = sourced;
    const { clock, random, probe, store } = this.#options;
    const views = new Set<ServiceView>();
    const onDisk = `${source.identity} ${key}`;
    const watcher = new ServiceWatcher(source, service, asked, {
      clock,
      random,
      reachability,
      outages,
      probe,
      scout,
      emit: this.#emit,
      recall: async () => this.#retired.get(key) ?? store?.load(onDisk),
      ...(store ? { remember: (list: SavedList): void => store.save(onDisk, list) } : {}),
      isInUse: () => [...views].some(({ unusedFor }) => unusedFor < IN_USE_MS),
    });
    const watch = { watcher, views, onDisk };
    this.#watches.set(key, watch);
    return watch;
  }

  /** A registry that is away is no reason to forget a list: those watches go on. */
  #endIdle(): void {
    for (const [key, { view, watches }] of this.#views) {
      if (view.unusedFor < IDLE_MS || watches.some(({ watcher }) => holdsOut(watcher))) continue;
      view.close();
      this.#views.delete(key);
      for (const { views } of watches) views.delete(view);
    }
    for (const [key, { watcher, views, onDisk }] of this.#watches) {
      if (views.size > 0) continue;
      const { snapshot } = watcher;
      watcher.stop();
      this.#watches.delete(key);
      this.#options.store?.forget(onDisk);
      if (snapshot) this.#retire(key, snapshot);
    }
    this.#sweep =
      this.#views.size === 0 ? undefined : this.#options.clock.after(SWEEP_MS, () => this.#endIdle());
  }

  #retire(key: string, { instances, source, age }: ServiceSnapshot): void {
    this.#retired.delete(key);
    this.#retired.set(key, { instances, source, confirmedAt: Date.now() - age });
    const [oldest] = this.#retired.keys();
    if (this.#retired.size > MOST_RETIRED && oldest !== undefined) this.#retired.delete(oldest);
  }

  #onThrown(service: string): (error: unknown) => void {
    return (error) => {
      this.#options.logger.error(`a subscriber of the snapshots of "${service}" threw: ${reasonOf(error)}`);
    };
  }
}

/** It has a list that may be had nowhere else; one that the registry refuses to give has nothing to be kept for. */
function holdsOut({ isFailing, snapshot, refusal }: ServiceWatcher): boolean {
  return isFailing && snapshot !== undefined && refusal === undefined;
}
