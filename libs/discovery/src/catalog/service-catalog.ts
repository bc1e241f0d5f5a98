import type { LoggerService } from '@nestjs/common';
import { Observable } from 'rxjs';
import { shutDownError } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import { IsolatedObservable } from '../events/isolated-observable.js';
import type { InstanceProbe } from '../registry/instance-probe.js';
import type { InstanceSource } from '../registry/instance-source.js';
import { ReconnectSignal } from '../registry/reconnect-signal.js';
import type { RegistryReachability } from '../registry/registry-reachability.js';
import {
  assertQuery,
  failoverOf,
  keyOfUnchecked,
  sourceQueryOf,
  type ServiceQuery,
} from '../registry/service-query.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import type { Clock, Random } from '../timing/clock.js';
import { detachAsyncContext } from '../timing/detach-async-context.js';
import { withTimeout } from '../timing/with-timeout.js';
import { explainView, type ServiceExplanation } from './explanation.js';
import { serviceState, type ServiceState } from './service-state.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import { ServiceView, type ViewSource } from './service-view.js';
import type { ServiceWatcher } from './service-watcher.js';
import { SharedWatches, type SharedWatch } from './shared-watches.js';
import type { SnapshotStore } from './snapshot-store.js';

export interface CatalogOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: LoggerService;
  readonly reconnectSignal: ReconnectSignal;
  /** Of the registry itself. */
  readonly reachability?: RegistryReachability;
  readonly probe: InstanceProbe;
  /** How long the first use of a service may wait for its list. */
  readonly initialListTimeoutMs: number;
  readonly emit?: (event: DiscoveryEvent) => void;
  /** Where instances are looked up, best first; `registry` is the registry itself. Default: only that. */
  readonly sources?: readonly ('registry' | InstanceSource)[] | undefined;
  /** `first`: the first source that has usable instances; `all`: those of all sources. Default: `first`. */
  readonly merge?: 'first' | 'all' | undefined;
  readonly store?: SnapshotStore | undefined;
}

interface OpenView {
  readonly view: ServiceView;
  readonly watches: readonly SharedWatch[];
}

/** A view that has not been used for this time is closed, and its watch is stopped. */
const IDLE_MS = 5 * 60_000;
const SWEEP_INTERVAL_MS = 60_000;
const FLUSH_TIMEOUT_MS = 2_000;

/**
 * The local state of all services in use. Each distinct source query has one watch, started by its first use; a query that
 * only adds local filters (tags, meta, a version range) is a view on that watch.
 */
export class ServiceCatalog {
  readonly #sources: readonly SharedWatches[];
  readonly #options: CatalogOptions;
  readonly #emit: (event: DiscoveryEvent) => void;
  readonly #views = new Map<string, OpenView>();
  #cancelSweep: (() => void) | undefined;
  #isClosed = false;

  constructor(registry: ServiceRegistry, options: CatalogOptions) {
    this.#options = options;
    const { clock, random, logger, probe, store, sources = ['registry'] } = options;
    const emit = options.emit ?? (() => undefined);
    this.#emit = emit;
    this.#sources = sources.map((source, index) => {
      const isRegistry = source === 'registry';
      const reconnectSignal = isRegistry ? options.reconnectSignal : new ReconnectSignal();
      const reachability = isRegistry ? options.reachability : undefined;
      const watchOptions = { clock, random, logger, probe, store, emit, reconnectSignal, reachability };
      return new SharedWatches(isRegistry ? registry : source, String(index), watchOptions);
    });
  }

  /** The snapshot in memory, however old; or else the first one, or the error why there is none. */
  async snapshot(service: string, query: ServiceQuery = {}): Promise<ServiceSnapshot> {
    const view = this.open(service, query);
    return view.touch() ?? this.initialList(view);
  }

  /** The view of a query, for repeated use. It is closed when it has been idle for a while: open it again then. */
  open(service: string, query: ServiceQuery = {}): ServiceView {
    const key = keyOfUnchecked(service, query);
    const known = this.#views.get(key);
    if (known) return known.view;
    assertQuery(service, query);
    if (this.#isClosed) throw shutDownError();
    // The watch outlives the request that happens to use the service first.
    return detachAsyncContext(() => this.#openView(key, service, query));
  }

  /** Waits for a view's first snapshot for as long as a call may. */
  initialList(view: ServiceView): Promise<ServiceSnapshot> {
    return view.first(this.#options.initialListTimeoutMs);
  }

  /**
   * The current snapshot at once, then each new one. The watch starts with the first subscription, and runs while there is
   * one. A subscriber that throws is logged, and does not affect the others.
   */
  watch(service: string, query: ServiceQuery = {}): Observable<ServiceSnapshot> {
    const watched = new Observable<ServiceSnapshot>((subscriber) => {
      if (this.#isClosed) subscriber.complete();
      else return this.open(service, query).snapshots$.subscribe(subscriber);
      return undefined;
    });
    return new IsolatedObservable(watched, this.#onThrown(service));
  }

  /** What is known of a service, and why calls go where they go; waits for a first snapshot as a call does. */
  async explain(service: string, query: ServiceQuery = {}): Promise<ServiceExplanation> {
    const view = this.open(service, query);
    // The error is part of the explanation.
    await this.initialList(view).catch(() => undefined);
    return explainView(view);
  }

  /** Explains every query that is in use. */
  explainAll(): readonly ServiceExplanation[] {
    return [...this.#views.values()].map(({ view }) => explainView(view));
  }

  /** The state of each service in use, by its widest query; cheap enough to be read every few seconds. */
  get states(): readonly ServiceState[] {
    return this.widestViews.map(serviceState);
  }

  /** Of each service in use the view with the fewest filters. */
  get widestViews(): readonly ServiceView[] {
    const widest = new Map<string, ServiceView>();
    for (const { view } of this.#views.values()) {
      const known = widest.get(view.service);
      if (!known || Object.keys(view.query).length < Object.keys(known.query).length)
        widest.set(view.service, view);
    }
    return [...widest.values()];
  }

  /** The names of the services of all sources, sorted; an unreachable source is left out unless all are. */
  async services(signal: AbortSignal): Promise<string[]> {
    const results = await Promise.allSettled(this.#sources.map(({ source }) => source.services(signal)));
    const names = results.flatMap((result) =>
      result.status === 'fulfilled' ? Object.keys(result.value) : [],
    );
    const [first] = results;
    if (first?.status === 'rejected' && results.every(({ status }) => status === 'rejected'))
      throw first.reason as Error;
    return [...new Set(names)].sort();
  }

  /** Milliseconds since the most outdated list was confirmed; undefined: all lists are current. */
  oldestStalenessMs(): number | undefined {
    const since = this.#sources.flatMap(({ staleSince }) => staleSince);
    return since.length === 0 ? undefined : Math.round(this.#options.clock.now() - Math.min(...since));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The number of running watches. */
  get watches(): number {
    return this.#sources.reduce((sum, { size }) => sum + size, 0);
  }

  /** Stops every watch, for good. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep?.();
    for (const { view } of this.#views.values()) view.close();
    for (const watches of this.#sources) watches.close();
    this.#views.clear();
    const { store, clock, sources = [] } = this.#options;
    // A disk that hangs must not keep the app from exiting.
    const flushed =
      store && withTimeout(clock, FLUSH_TIMEOUT_MS, store.flush(), () => new Error('timed out'));
    const own = sources.filter((source) => source !== 'registry');
    await Promise.allSettled([flushed, ...own.map((source) => source.close())]);
  }

  #openView(key: string, service: string, query: ServiceQuery): ServiceView {
    const { clock } = this.#options;
    const sources = this.#sourcesFor(service, query);
    const view = new ServiceView(
      service,
      query,
      sources.map(({ source }) => source),
      { clock, emit: this.#emit, onThrown: this.#onThrown(service) },
    );
    for (const { watch } of sources) watch.views.add(view);
    this.#views.set(key, { view, watches: sources.map(({ watch }) => watch) });
    this.#cancelSweep ??= clock.after(SWEEP_INTERVAL_MS, () => this.#closeIdle());
    return view;
  }

  /** Each source in its order, and for the registry itself each datacenter of its failover list. */
  #sourcesFor(service: string, query: ServiceQuery): { source: ViewSource; watch: SharedWatch }[] {
    const { sources = ['registry'], merge = 'first' } = this.#options;
    return this.#sources.flatMap((watches, index) => {
      const isRegistry = sources[index] === 'registry';
      const alternatives = isRegistry ? (failoverOf(query)?.to ?? []) : [];
      return [query.datacenter, ...alternatives].map((datacenter, nth) => {
        const watch = watches.get(service, sourceQueryOf(query, datacenter));
        const name =
          datacenter ?? (alternatives.length > 0 ? 'the local datacenter' : watches.source.description);
        const source: ViewSource = { name, watcher: watch.watcher, merge: nth === 0 ? merge : 'first' };
        return { source, watch };
      });
    });
  }

  #closeIdle(): void {
    for (const [key, { view, watches }] of this.#views) {
      if (view.idleMs < IDLE_MS || watches.some(({ watcher }) => mustKeep(watcher))) continue;
      view.close();
      this.#views.delete(key);
      for (const { views } of watches) views.delete(view);
    }
    for (const watches of this.#sources) watches.stopUnused();
    this.#cancelSweep =
      this.#views.size === 0
        ? undefined
        : this.#options.clock.after(SWEEP_INTERVAL_MS, () => this.#closeIdle());
  }

  #onThrown(service: string): (error: unknown) => void {
    return (error) => {
      this.#options.logger.error(
        `a subscriber of the snapshots of "${service}" threw: ${errorMessage(error)}`,
      );
    };
  }
}

/** While the registry is unreachable its list may be the only copy; a query that the registry refuses has none to keep. */
function mustKeep({ isFailing, snapshot, refusal }: ServiceWatcher): boolean {
  return isFailing && snapshot !== undefined && refusal === undefined;
}
