import { TargetPool, type PoolOptions } from '../balancing/target-pool.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import type { ServiceSnapshot } from '../catalog/service-snapshot.js';
import type { ServiceView } from '../catalog/service-view.js';
import { keyOfUnchecked, type ServiceQuery } from '../registry/service-query.js';
import type { Clock } from '../timing/clock.js';
import { Bulkhead } from './limits/bulkhead.js';
import type { ServiceSettings } from './options/call-settings.js';
import { CircuitBreaker } from './limits/circuit-breaker.js';
import { LatencyQuantile } from './latency-quantile.js';
import { evict } from './evict.js';
import { RetryBudget } from './limits/retry-budget.js';

/** The instances that one query of a service sees, and the list that they follow. */
export interface Queried {
  view: ServiceView;
  readonly pool: TargetPool;
}

/** Queries may be made up by the users of an app. */
const MOST_QUERIES = 1_000;
const FIRST_HEDGES = 1;
const MOST_HEDGES_SAVED = 10;

/** What the calls to one service have in common, whoever makes them in this app. */
export class CalledService {
  readonly name: string;
  readonly settings: ServiceSettings;
  readonly budget: RetryBudget;
  readonly breaker: CircuitBreaker | undefined;
  readonly bulkhead: Bulkhead | undefined;
  readonly latencies = new LatencyQuantile();
  readonly #catalog: ServiceCatalog;
  readonly #poolOptions: PoolOptions;
  readonly #queried = new Map<string, Queried>();
  #plain: Queried | undefined;
  #hedges = FIRST_HEDGES;

  constructor(
    name: string,
    catalog: ServiceCatalog,
    settings: ServiceSettings,
    clock: Clock,
    poolOptions: Omit<PoolOptions, 'ejection' | 'slowStart'>,
  ) {
    this.name = name;
    this.settings = settings;
    this.budget = new RetryBudget(clock, settings.retryBudget);
    this.breaker = settings.circuitBreaker && new CircuitBreaker(clock, settings.circuitBreaker);
    this.bulkhead = settings.bulkhead && new Bulkhead(clock, settings.bulkhead);
    this.#catalog = catalog;
    this.#poolOptions = { ...poolOptions, ejection: settings.ejection, slowStart: settings.slowStart };
  }

  /** One pool for each query: what is called in turn for one must not shift the turns of another. */
  queried(query: ServiceQuery | undefined): Queried {
    const isPlain = query === undefined || isEmpty(query);
    const known = isPlain ? this.#plain : this.#queried.get(keyOfUnchecked(this.name, query));
    if (!known) return this.#begin(query);
    if (known.view.isClosed) known.view = this.#catalog.open(this.name, query);
    return known;
  }

  /** Of a view that has none yet. */
  firstList(view: ServiceView): Promise<ServiceSnapshot> {
    return this.#catalog.firstList(view);
  }

  /** What the calls of a query have seen; undefined: there were none. */
  poolOf(query: ServiceQuery): TargetPool | undefined {
    return (isEmpty(query) ? this.#plain : this.#queried.get(keyOfUnchecked(this.name, query)))?.pool;
  }

  /** Whether a second attempt may be made beside the first; each call earns a part of one. */
  takeHedge(extraLoad: number): boolean {
    if (extraLoad <= 0 || this.#hedges < 1) return false;
    this.#hedges--;
    return true;
  }

  earnHedge(extraLoad: number): void {
    this.#hedges = Math.min(MOST_HEDGES_SAVED, this.#hedges + extraLoad);
  }

  /** Nothing is known of it that would be missed. */
  get isUnknown(): boolean {
    return this.#queried.size === 0 && (this.#plain?.pool.usable.length ?? 0) === 0;
  }

  close(): void {
    this.#plain?.pool.close();
    for (const { pool } of this.#queried.values()) pool.close();
  }

  #begin(query: ServiceQuery | undefined): Queried {
    const view = this.#catalog.open(this.name, query);
    const queried = { view, pool: new TargetPool(this.name, query, this.#poolOptions) };
    if (query === undefined || isEmpty(query)) return (this.#plain = queried);
    this.#queried.set(keyOfUnchecked(this.name, query), queried);
    if (this.#queried.size > MOST_QUERIES)
      evict(this.#queried, ({ pool }) => pool.usable.length === 0)?.pool.close();
    return queried;
  }
}

/** Without a look at its values: one that is undefined is as good as none only to who makes a key of it. */
function isEmpty(query: ServiceQuery): boolean {
  for (const _ in query) return false;
  return true;
}
