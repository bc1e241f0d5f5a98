import type { Observable } from 'rxjs';
import type { Target } from '../balancing/load-balancer.js';
import { needsReports } from '../balancing/strategies/strategies.js';
import { believableInFlight } from '../balancing/target/reported-in-flight.js';
import type { TargetPool } from '../balancing/target-pool.js';
import type { CallOutcome, TrackedTarget } from '../balancing/target/tracked-target.js';
import type { ServiceSnapshot } from '../catalog/service-snapshot.js';
import { usableInstances } from '../catalog/service-snapshot.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { DiscoveryError } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { ServiceQuery } from '../registry/service-query.js';
import type { Clock } from '../timing/clock.js';
import { classifyError, outcomeOf, type AttemptResult } from './attempt-result.js';
import type { CallObserver, RpcDescription } from './call-observer.js';
import { ChannelCall } from './channel-call.js';
import { isDeadline } from './failure-rules.js';
import { noInstancesError } from './no-instances-error.js';
import type { CallSettings } from './options/call-settings.js';
import type { RetryBudgetRules } from './limits/retry-budget.js';
import type { QueryPool, ServiceContext } from './service-context.js';

export interface TargetPickRequest {
  readonly hashKey: string | undefined;
  /** An attempt of the same call has failed. */
  readonly isRetry: boolean;
  /** Those that this attempt cannot use. */
  readonly excluded: ReadonlySet<Target>;
}

/** How an attempt ended. */
export interface AttemptEnding {
  /** Undefined: it succeeded. */
  readonly error: Error | undefined;
  /** Its caller gave up. */
  readonly isAbandoned: boolean;
  /** How many calls its server has under way, as its response tells; read where the strategy chooses by it. */
  readonly reportedInFlight?: (() => number | undefined) | undefined;
}

/** How long a stream takes says nothing about latency; of some attempts it is not known what they are. */
export type AttemptShape = 'unary' | 'stream' | 'unknown';

export interface PicksTools {
  readonly clock: Clock;
  readonly emit: (event: DiscoveryEvent) => void;
  readonly observer?: CallObserver | undefined;
}

/** After a failure this recent a retry goes elsewhere, if it can. */
const JUST_FAILED_MS = 1_000;
const DIAGNOSIS_MS = 1_000;
/** A call that has waited for longer than this, and than usual, tells of its instance before it ends. */
const OVERDUE_MS = 10;

/**
 * Picks for a transport that makes attempts by itself, such as channels of gRPC: with the strategies, the weights, the zones and the outlier
 * detection of all other calls to the service, and in their statistics.
 */
export class TargetPicks {
  readonly service: string;
  readonly #context: ServiceContext;
  readonly #query: ServiceQuery | undefined;
  readonly #settings: CallSettings;
  readonly #clock: Clock;
  readonly #tools: PicksTools;
  /** When those began that are under way, the oldest first. */
  readonly #waiting = new Map<Target, number[]>();
  #hasRuleFailed = false;

  /** @param settings of the client */
  constructor(
    context: ServiceContext,
    query: ServiceQuery | undefined,
    settings: CallSettings,
    tools: PicksTools,
  ) {
    this.service = context.name;
    this.#context = context;
    this.#query = query;
    this.#settings = settings;
    this.#clock = tools.clock;
    this.#tools = tools;
  }

  get settings(): CallSettings {
    return this.#settings;
  }

  get retryBudget(): RetryBudgetRules {
    return this.#context.settings.retryBudget;
  }

  /** Takes a retry that the transport does not count. @returns false: the budget of the service has none left */
  takeRetry(): boolean {
    return this.#context.retryBudget.take();
  }

  /** The instances that may get calls: at present, and each change. */
  watch(): Observable<ServiceSnapshot> {
    return this.#queryPool.view.snapshots$;
  }

  usableOf(snapshot: ServiceSnapshot): readonly ServiceInstance[] {
    return usableInstances(snapshot, this.#query);
  }

  /** Begins a call. @returns undefined: its service has no limits, and there is no telemetry */
  call(rpc: RpcDescription): ChannelCall | undefined {
    const { breaker, bulkhead } = this.#context;
    const { clock, emit, observer } = this.#tools;
    const observed = observer?.beginRpc(this.service, rpc, clock.now());
    if (!observed && !breaker && !bulkhead) return undefined;
    const judge = (error: Error | undefined, elapsedMs: number): CallOutcome =>
      this.#judge(error, false, elapsedMs).outcome;
    return new ChannelCall(this.#context, observed, judge, { clock, emit });
  }

  /** Waits for the first list. @throws DiscoveryError `RK_REGISTRY_UNREACHABLE` when there is none in time */
  async ready(): Promise<void> {
    const { view } = this.#queryPool;
    if (!view.snapshot) await this.#context.initialList(view);
  }

  /** Why there is no instance. */
  noInstances(): Promise<DiscoveryError> {
    const time = { clock: this.#clock, withinMs: DIAGNOSIS_MS };
    return noInstancesError(this.#queryPool.view, this.service, this.#query, time);
  }

  /** @returns undefined: there is none that is not excluded */
  pick({ hashKey, isRetry, excluded }: TargetPickRequest): Target | undefined {
    const pool = this.#pool();
    const { retries, strategy } = this.#settings;
    const tried = excluded as ReadonlySet<TrackedTarget>;
    if (!isRetry) {
      const request = { hashKey, attempt: 0, mayTry: retries > 0 ? 'yes' : 'if-overdue', tried } as const;
      const target = pool.pick(strategy, request);
      // It is known to be slower now, and another one may be better.
      const mayBeBetter = pool.usable.length > 1;
      return target && mayBeBetter && this.#isOverdue(target) ? pool.pick(strategy, request) : target;
    }
    const request = { hashKey, attempt: 1, mayTry: 'no' } as const;
    const now = this.#clock.now();
    const failed = pool.usable.filter(({ history }) => now - history.lastFailureAt < JUST_FAILED_MS);
    return (
      pool.pick(strategy, { ...request, tried: new Set([...tried, ...failed]) }) ??
      pool.pick(strategy, { ...request, attempt: 0, tried })
    );
  }

  /** An attempt begins. @returns is to be called once, when it has ended */
  begin(target: Target, shape: AttemptShape, isRetry = false): (ending: AttemptEnding) => void {
    if (isRetry) this.#tools.observer?.retried(this.service);
    else this.#context.retryBudget.deposit();
    const tracked = target as TrackedTarget;
    const pool = this.#pickedPool;
    const startedAt = this.#clock.now();
    pool.begin(tracked);
    const waiting = shape === 'unary' ? this.#waitingFor(target) : undefined;
    waiting?.push(startedAt);
    return ({ error, isAbandoned, reportedInFlight }) => {
      if (waiting) this.#forget(target, waiting, startedAt);
      const endedAt = this.#clock.now();
      const elapsedMs = endedAt - startedAt;
      // What takes that long without an error was none of the calls that have a limit.
      const isStream =
        shape === 'stream' || (shape === 'unknown' && elapsedMs > this.#settings.attemptTimeoutMs);
      const { outcome, reason, isRefusal } = this.#judge(error, isAbandoned, elapsedMs);
      const measuredMs = isStream ? tracked.latencyMs : elapsedMs;
      // A caller that has enough of a stream says nothing of the instance.
      const told = isStream && outcome === 'abandoned' ? 'ignored' : outcome;
      pool.report(tracked, measuredMs, told, { reason, isRefusal });
      if (outcome !== 'ignored' && outcome !== 'abandoned')
        this.#context.statistics.add(measuredMs, outcome !== 'success');
      // A server that only fails has nothing to do.
      if (outcome !== 'success' || !reportedInFlight || !needsReports(this.#settings.strategy)) return;
      if (!tracked.reported.mayAsk(endedAt)) return;
      const inFlight = believableInFlight(reportedInFlight());
      if (inFlight !== undefined) pool.observeLoad(tracked, inFlight);
    };
  }

  /** It could not be connected to. */
  refused(target: Target, reason: string): void {
    const tracked = target as TrackedTarget;
    const pool = this.#pool();
    pool.begin(tracked);
    pool.report(tracked, 0, 'failure', { reason, isRefusal: true });
  }

  /**
   * Whether the oldest call to a target has waited for longer than calls to it take: an instance that hangs answers none, and would get one after the other
   * until the first of them has timed out.
   */
  #isOverdue(target: TrackedTarget): boolean {
    const oldest = this.#waiting.get(target)?.[0];
    if (oldest === undefined) return false;
    const now = this.#clock.now();
    const waitedMs = now - oldest;
    if (waitedMs < OVERDUE_MS || waitedMs <= target.latencyMs) return false;
    target.latency.observeAtLeast(now, waitedMs);
    return true;
  }

  #waitingFor(target: Target): number[] {
    let waiting = this.#waiting.get(target);
    if (!waiting) this.#waiting.set(target, (waiting = []));
    return waiting;
  }

  #forget(target: Target, waiting: number[], startedAt: number): void {
    const at = waiting.indexOf(startedAt);
    // Mostly it is the oldest.
    if (at === 0) waiting.shift();
    else waiting.splice(at, 1);
    if (waiting.length === 0 && this.#waiting.get(target) === waiting) this.#waiting.delete(target);
  }

  #judge(
    error: Error | undefined,
    isAbandoned: boolean,
    elapsedMs: number,
  ): { readonly outcome: CallOutcome; readonly reason: string; readonly isRefusal: boolean } {
    if (isAbandoned) return { outcome: 'abandoned', reason: 'its caller gave up', isRefusal: false };
    if (!error) return { outcome: 'success', reason: '', isRefusal: false };
    const { attemptTimeoutMs, timeoutMs } = this.#settings;
    // A deadline that is shorter than usual is no measure of an instance.
    if (isDeadline({ error }) && elapsedMs < Math.min(attemptTimeoutMs, timeoutMs) / 2)
      return { outcome: 'abandoned', reason: error.message, isRefusal: false };
    const result = this.#classified(error);
    const isRefusal = result.type === 'failed' && result.isRefusal;
    const reason = result.type === 'success' ? '' : result.reason;
    return { outcome: outcomeOf(result), reason, isRefusal };
  }

  /** Over HTTP the caller gets what its own rule throws; from here it would end the process. */
  #classified(error: Error): AttemptResult<never> {
    try {
      return classifyError(error, this.#settings.isFailure);
    } catch (thrown) {
      if (!this.#hasRuleFailed)
        this.#tools.emit({
          type: 'failureRule.failed',
          service: this.service,
          reason: errorMessage(thrown),
        });
      this.#hasRuleFailed = true;
      return classifyError(error);
    }
  }

  /** That of the pick: once the app has been closed no other one is opened. */
  get #pickedPool(): TargetPool {
    return (this.#context.findPool(this.#query) ?? this.#queryPool).pool;
  }

  get #queryPool(): QueryPool {
    return this.#context.poolFor(this.#query);
  }

  #pool(): TargetPool {
    const { view, pool } = this.#queryPool;
    const snapshot = view.touch();
    if (snapshot) pool.update(snapshot);
    return pool;
  }
}
