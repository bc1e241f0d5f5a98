import type { LoggerService } from '@nestjs/common';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { InstanceProbe } from '../registry/instance-probe.js';
import type { InstanceSource } from '../registry/instance-source.js';
import type { ReconnectSignal } from '../registry/reconnect-signal.js';
import type { RegistryReachability } from '../registry/registry-reachability.js';
import { queryKey, type SourceQuery } from '../registry/service-query.js';
import type { Clock, Random } from '../timing/clock.js';
import type { LastKnownList } from './last-known-list.js';
import { OutageLog } from './outage/outage-log.js';
import { RecoveryPing } from './outage/recovery-ping.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import type { ServiceView } from './service-view.js';
import { ServiceWatcher } from './service-watcher.js';
import type { SnapshotStore } from './snapshot-store.js';

export interface SharedWatchesOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: LoggerService;
  readonly probe: InstanceProbe;
  readonly reconnectSignal: ReconnectSignal;
  readonly emit: (event: DiscoveryEvent) => void;
  readonly store: SnapshotStore | undefined;
  readonly reachability: RegistryReachability | undefined;
}

/** A running watch, and the views on it. */
export interface SharedWatch {
  readonly watcher: ServiceWatcher;
  readonly views: Set<ServiceView>;
}

interface Entry extends SharedWatch {
  /** Its key in the snapshot store. */
  readonly storeKey: string;
}

/** Bounded, since queries may come from the users of an app. */
const MAX_LAST_KNOWN = 1_000;
/** A list counts as in use for calls for this time after its last use. */
const IN_USE_MS = 60_000;

/** The watches of one source: one for each distinct source query, shared by all views on it. */
export class SharedWatches {
  readonly source: InstanceSource;
  readonly #id: string;
  readonly #options: SharedWatchesOptions;
  readonly #outages: OutageLog;
  readonly #recoveryPing: RecoveryPing;
  readonly #entries = new Map<string, Entry>();
  /** The last lists of watches that were stopped because they were idle. */
  readonly #lastKnown = new Map<string, LastKnownList>();

  /** @param id distinguishes the source among those of an app, in the keys of the snapshot store */
  constructor(source: InstanceSource, id: string, options: SharedWatchesOptions) {
    this.source = source;
    this.#id = id;
    this.#options = options;
    this.#outages = new OutageLog(options.logger, source.description);
    this.#recoveryPing = new RecoveryPing(source, options);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Since when each outdated list has not been confirmed, by the clock. */
  get staleSince(): readonly number[] {
    return [...this.#entries.values()].flatMap(({ watcher }) => watcher.staleSince ?? []);
  }

  /** The watch of a query, started if it does not run yet. */
  get(service: string, query: SourceQuery): SharedWatch {
    const key = `${this.#id} ${queryKey(service, query)}`;
    const known = this.#entries.get(key);
    if (known) return known;
    const { clock, random, probe, reconnectSignal, reachability, emit, store } = this.#options;
    const views = new Set<ServiceView>();
    const storeKey = `${this.source.cacheKey} ${key}`;
    const watcher = new ServiceWatcher(this.source, service, query, {
      clock,
      random,
      probe,
      reconnectSignal,
      reachability,
      emit,
      outages: this.#outages,
      recoveryPing: this.#recoveryPing,
      loadLastKnown: async () => this.#lastKnown.get(key) ?? store?.load(storeKey),
      ...(store ? { saveLastKnown: (list: LastKnownList): void => store.save(storeKey, list) } : {}),
      isInUse: () => [...views].some(({ idleMs }) => idleMs < IN_USE_MS),
    });
    const entry = { watcher, views, storeKey };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Stops the watches without a view; their last lists are kept in case the registry is unreachable at the next use. */
  stopUnused(): void {
    for (const [key, { watcher, views, storeKey }] of this.#entries) {
      if (views.size > 0) continue;
      const { snapshot } = watcher;
      watcher.stop();
      this.#entries.delete(key);
      this.#options.store?.forget(storeKey);
      if (snapshot) this.#keep(key, snapshot);
    }
  }

  close(): void {
    for (const { watcher } of this.#entries.values()) watcher.stop();
    this.#recoveryPing.close();
    this.#entries.clear();
  }

  #keep(key: string, { instances, source, ageMs }: ServiceSnapshot): void {
    this.#lastKnown.delete(key);
    this.#lastKnown.set(key, { instances, source, confirmedAt: Date.now() - ageMs });
    const [oldest] = this.#lastKnown.keys();
    if (this.#lastKnown.size > MAX_LAST_KNOWN && oldest !== undefined) this.#lastKnown.delete(oldest);
  }
}
