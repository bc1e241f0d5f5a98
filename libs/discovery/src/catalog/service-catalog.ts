import type { LoggerService } from '@nestjs/common';
import { Observable } from 'rxjs';
import type { Reachability } from '../registry/reachability.js';
import { assertQuery, queryKey, type ServiceQuery } from '../registry/service-query.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import type { Clock, Random } from '../timing/clock.js';
import { shutDown } from '../errors/discovery-error.js';
import { OutageLog } from './outage-log.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import { ServiceWatcher, type WatcherOptions } from './service-watcher.js';

export interface CatalogOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: LoggerService;
  readonly reachability: Reachability;
  /** How long the very first use of a service may wait for its list, in milliseconds. */
  readonly firstListTimeout: number;
}

/** The local picture of all services in use: one watcher for each distinct query, started by its first use. */
export class ServiceCatalog {
  readonly #registry: ServiceRegistry;
  readonly #options: CatalogOptions;
  readonly #watcherOptions: WatcherOptions;
  readonly #watchers = new Map<string, ServiceWatcher>();
  #closed = false;

  constructor(registry: ServiceRegistry, options: CatalogOptions) {
    this.#registry = registry;
    this.#options = options;
    const { clock, random, logger, reachability } = options;
    this.#watcherOptions = {
      clock,
      random,
      outages: new OutageLog(logger, registry.description),
      reachability,
    };
  }

  /** From memory when there is a list, however old; else the first list, or the reason why there is none. */
  async snapshot(service: string, query: ServiceQuery = {}): Promise<ServiceSnapshot> {
    const watcher = this.#watcher(service, query);
    return watcher.snapshot ?? watcher.first(this.#options.firstListTimeout);
  }

  /** The present snapshot at once, then each new one. The watch starts with the first subscription. */
  watch(service: string, query: ServiceQuery = {}): Observable<ServiceSnapshot> {
    return new Observable((subscriber) => {
      if (this.#closed) subscriber.complete();
      else return this.#watcher(service, query).snapshots$.subscribe(subscriber);
      return undefined;
    });
  }

  async services(signal: AbortSignal): Promise<string[]> {
    return Object.keys(await this.#registry.services(signal)).sort();
  }

  /** For how many milliseconds the list that is out of date the longest has not been confirmed; undefined: none is. */
  oldestStaleness(): number | undefined {
    const since = [...this.#watchers.values()].flatMap(({ staleSince }) => staleSince ?? []);
    return since.length === 0 ? undefined : Math.round(this.#options.clock.now() - Math.min(...since));
  }

  /** Ends every watch, for good. */
  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers.values()) watcher.stop();
    this.#watchers.clear();
  }

  #watcher(service: string, query: ServiceQuery): ServiceWatcher {
    assertQuery(service, query);
    if (this.#closed) throw shutDown();
    const key = queryKey(service, query);
    let watcher = this.#watchers.get(key);
    if (!watcher) {
      watcher = new ServiceWatcher(this.#registry, service, query, this.#watcherOptions);
      this.#watchers.set(key, watcher);
    }
    return watcher;
  }
}
