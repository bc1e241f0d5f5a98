import { TargetPool, type PoolOptions } from '../balancing/target-pool.js';
import type { CallLimits } from '../catalog/explanation.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import type { ServiceSnapshot } from '../catalog/service-snapshot.js';
import type { ServiceView } from '../catalog/service-view.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { keyOfUnchecked, NEAR_HINT, type ServiceQuery } from '../registry/service-query.js';
import type { Clock } from '../timing/clock.js';
import { CallStatistics } from './call-statistics.js';
import { evict } from './evict.js';
import { LatencyQuantile } from './latency-quantile.js';
import { Bulkhead } from './limits/bulkhead.js';
import { CircuitBreaker } from './limits/circuit-breaker.js';
import { RefusalState } from './limits/refusal-state.js';
import { HedgeBudget } from './limits/hedge-budget.js';
import { RetryBudget } from './limits/retry-budget.js';
import type { ConnectionSettings } from './options/connection-options.js';
import type { CallDefaults } from './options/call-options.js';
import { callSettings, type CallSettings, type ServiceSettings } from './options/call-settings.js';

/** The targets of one query of a service, and the view that they follow. */
export interface QueryPool {
  view: ServiceView;
  readonly pool: TargetPool;
}

export interface ContextPoolOptions extends Omit<PoolOptions, 'outlierRules' | 'slowStart' | 'loadProbes'> {
  /** Asks a server for its load. */
  readonly askLoad?: (
    instance: ServiceInstance,
    connection: ConnectionSettings,
  ) => Promise<string | undefined>;
}

/** Bounded, since queries may come from the users of an app. */
const MAX_QUERIES = 1_000;

/** What all calls of this app to one service share. */
export class ServiceContext {
  readonly name: string;
  readonly settings: ServiceSettings;
  readonly retryBudget: RetryBudget;
  readonly hedgeBudget = new HedgeBudget();
  readonly breaker: CircuitBreaker | undefined;
  readonly bulkhead: Bulkhead | undefined;
  readonly latencies = new LatencyQuantile();
  readonly statistics = new CallStatistics();
  /** Retries that the retry budget refuses. */
  readonly refusedRetries: RefusalState;
  /** Calls that the bulkhead rejects. */
  readonly rejectedCalls: RefusalState;
  readonly #catalog: ServiceCatalog;
  readonly #poolOptions: PoolOptions;
  readonly #pools = new Map<string, QueryPool>();
  readonly #settingsOfClients = new WeakMap<CallDefaults, CallSettings>();
  /** Of calls without a query. */
  #plainPool: QueryPool | undefined;

  constructor(
    name: string,
    catalog: ServiceCatalog,
    settings: ServiceSettings,
    clock: Clock,
    poolOptions: ContextPoolOptions,
  ) {
    const { retryBudget, circuitBreaker, bulkhead, outlierRules, slowStart } = settings;
    this.name = name;
    this.settings = settings;
    this.retryBudget = new RetryBudget(clock, retryBudget);
    this.breaker = circuitBreaker && new CircuitBreaker(clock, circuitBreaker);
    this.bulkhead = bulkhead && new Bulkhead(clock, bulkhead);
    const { emit } = poolOptions;
    this.refusedRetries = new RefusalState(clock, {
      onBegin: () => emit({ type: 'retryBudget.exhausted', service: name }),
      onEnd: () => emit({ type: 'retryBudget.available', service: name }),
    });
    this.rejectedCalls = new RefusalState(clock, {
      onBegin: () => emit({ type: 'bulkhead.full', service: name, limit: this.bulkhead?.limit ?? 0 }),
      onEnd: () => emit({ type: 'bulkhead.available', service: name, limit: this.bulkhead?.limit ?? 0 }),
    });
    this.#catalog = catalog;
    const { askLoad, ...rest } = poolOptions;
    const { connection } = settings.http;
    this.#poolOptions = {
      ...{ ...rest, outlierRules, slowStart },
      ...(askLoad
        ? { loadProbes: { ...settings.loadProbes, ask: (instance) => askLoad(instance, connection) } }
        : {}),
    };
  }

  /** One pool for each query: the turns of one query must not shift those of another. */
  poolFor(query: ServiceQuery | undefined): QueryPool {
    const known = this.findPool(query);
    if (!known) return this.#openPool(query);
    if (known.view.isClosed) known.view = this.#catalog.open(this.name, query);
    return known;
  }

  /** Undefined: there were no calls with this query. */
  findPool(query: ServiceQuery | undefined): QueryPool | undefined {
    return query === undefined || isEmpty(query)
      ? this.#plainPool
      : this.#pools.get(keyOfUnchecked(this.name, query));
  }

  /** The settings of the calls of a client. */
  settingsWith(defaults: CallDefaults | undefined): CallSettings {
    if (!defaults) return this.settings.call;
    let settings = this.#settingsOfClients.get(defaults);
    if (!settings)
      this.#settingsOfClients.set(defaults, (settings = callSettings(this.settings.call, defaults)));
    return settings;
  }

  /** Undefined: there are none. */
  get limits(): CallLimits | undefined {
    const { breaker, bulkhead } = this;
    if (!breaker && !bulkhead) return undefined;
    return {
      circuit: breaker && (breaker.isOpen ? 'open' : 'closed'),
      bulkhead: bulkhead && {
        inFlight: bulkhead.inFlight,
        queued: bulkhead.queued,
        limit: bulkhead.limit,
      },
    };
  }

  /** Waits for the first list of a view. */
  initialList(view: ServiceView): Promise<ServiceSnapshot> {
    return this.#catalog.initialList(view);
  }

  /** @returns whether an instance of this id was ejected, and takes calls again */
  uneject(id: string, reason: string): boolean {
    const pools = [...(this.#plainPool ? [this.#plainPool] : []), ...this.#pools.values()];
    return pools.map(({ pool }) => pool.uneject(id, reason)).some(Boolean);
  }

  /** The ids of the ejected instances. */
  get ejectedIds(): string {
    return (this.#plainPool?.pool.usable ?? [])
      .filter(({ ejection }) => !ejection.isActive)
      .map(({ instance }) => instance.id)
      .join(' ');
  }

  /** Of all queries: attempts under way, and targets that are ejected. */
  get load(): { readonly inFlight: number; readonly ejected: number } {
    const load = { inFlight: 0, ejected: 0 };
    for (const { pool } of [...(this.#plainPool ? [this.#plainPool] : []), ...this.#pools.values()])
      for (const { inFlight, ejection } of pool.usable) {
        load.inFlight += inFlight;
        if (!ejection.isActive) load.ejected++;
      }
    return load;
  }

  /** It has no targets, so nothing is lost with it. */
  get isUnused(): boolean {
    return this.#pools.size === 0 && (this.#plainPool?.pool.usable.length ?? 0) === 0;
  }

  close(): void {
    this.refusedRetries.close();
    this.rejectedCalls.close();
    this.#plainPool?.pool.close();
    for (const { pool } of this.#pools.values()) pool.close();
  }

  /** @throws DiscoveryError `RK_INVALID_ARGUMENT` for a query that calls cannot honour */
  #openPool(query: ServiceQuery | undefined): QueryPool {
    if (query?.near !== undefined) throw nearError();
    const view = this.#catalog.open(this.name, query);
    const opened = { view, pool: new TargetPool(this.name, query, this.#poolOptions) };
    if (query === undefined || isEmpty(query)) return (this.#plainPool = opened);
    // Before it is there: it has no instances yet, and would be the one that is evicted.
    if (this.#pools.size >= MAX_QUERIES)
      evict(this.#pools, ({ pool }) => pool.usable.length === 0)?.pool.close();
    this.#pools.set(keyOfUnchecked(this.name, query), opened);
    return opened;
  }
}

/** Without looking at values, which is enough on the path of every call: undefined ones are handled by the query's key. */
function isEmpty(query: ServiceQuery): boolean {
  for (const _ in query) return false;
  return true;
}

function nearError(): DiscoveryError {
  return new DiscoveryError('RK_INVALID_ARGUMENT', `query.near: ${NEAR_HINT}`);
}
