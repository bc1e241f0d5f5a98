import type { TargetPool } from '../balancing/target-pool.js';
import type { CallLimits } from '../catalog/explanation.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { ServiceQuery } from '../registry/service-query.js';
import { TimerWheel } from '../timing/timer-wheel.js';
import { admit } from './admission.js';
import { CallError } from './call-error.js';
import type { CallObserver } from './call-observer.js';
import { evict } from './evict.js';
import { deadlineOf, eitherSignal, incomingCall } from './incoming-call.js';
import { noInstancesError } from './no-instances-error.js';
import { assertCallOptions, assertKeyIsUsed } from './options/assert-call-options.js';
import type {
  CallDefaults,
  CallOptions,
  CallReport,
  Fallback,
  FallbackOptions,
  TransportOptions,
} from './options/call-options.js';
import { callSettings, serviceSettings } from './options/call-settings.js';
import type { ClientsOptions } from './options/client-options.js';
import { httpSettings, type HttpDefaults, type HttpSettings } from './options/http-options.js';
import { attemptTransport, type Attempt, type CallTools, type Transport } from './running-attempt.js';
import { ServiceCall, type CallResult } from './service-call.js';
import { ServiceContext, type ContextPoolOptions } from './service-context.js';
import { TargetPicks } from './target-picks.js';

export interface CallerOptions extends ContextPoolOptions {
  readonly clients?: ClientsOptions;
  readonly observer?: CallObserver;
}

/** Bounded, since names of services may come from the users of an app. */
const MAX_SERVICES = 1_000;

/** Calls services over any transport: picks instances, bounds and retries attempts, and keeps statistics. */
export class ServiceCaller {
  readonly #catalog: ServiceCatalog;
  readonly #options: CallerOptions;
  readonly #tools: CallTools;
  readonly #services = new Map<string, ServiceContext>();

  constructor(catalog: ServiceCatalog, options: CallerOptions) {
    this.#catalog = catalog;
    this.#options = options;
    const { clock, random } = options;
    this.#tools = { clock, random, wheel: new TimerWheel(clock) };
  }

  /**
   * @throws CallError `RK_CALL_FAILED` when the last attempt failed, `RK_CALL_TIMEOUT` past the deadline,
   * `RK_CIRCUIT_OPEN` and `RK_OVERLOADED` without an attempt
   * @throws DiscoveryError `RK_NO_INSTANCES` when there is no usable instance
   */
  async call<T>(
    service: string,
    attempt: Attempt<T>,
    options: FallbackOptions<T> = {},
    how: Pick<TransportOptions<T>, 'isOneWay'> = {},
  ): Promise<CallResult<T>> {
    assertCallOptions(options);
    if (typeof (attempt as unknown) !== 'function')
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `attempt = ${typeof attempt}: must be a function`);
    const departure = incomingCall()?.departure;
    const cancellable = departure ? { ...options, signal: eitherSignal(options.signal, departure) } : options;
    return this.send(service, attemptTransport(attempt), { ...cancellable, ...how });
  }

  /**
   * As `call`, over a transport of this library. Options are not validated. It may also throw.
   *
   * @param defaults of the client; the same object for each of its calls
   */
  send<T>(
    service: string,
    transport: Transport<T>,
    options: TransportOptions<T> & Fallback<T>,
    defaults?: CallDefaults,
  ): Promise<CallResult<T>> {
    const context = this.#context(service);
    const settings = callSettings(context.settingsWith(defaults), options);
    assertKeyIsUsed(options.hashKey, settings.strategy);
    const { clock, emit, observer } = this.#options;
    const now = clock.now();
    const observed = observer?.begin(service, options.request, now);
    const incoming = incomingCall();
    // The caller of the request that this call is a part of does not wait any longer because of it.
    const deadline = Math.min(now + settings.timeoutMs, deadlineOf(incoming));
    const call = new ServiceCall({
      context,
      transport,
      options,
      settings,
      startedAt: now,
      deadline,
      incoming,
      observed,
      tools: this.#tools,
    });
    const run = (): Promise<CallResult<T>> => {
      if (deadline <= now)
        throw call.rejected(
          new CallError('RK_CALL_TIMEOUT', call.report, new Error("the caller's deadline has passed")),
        );
      const waiting = admit(context, call, { clock, emit, deadline, signal: options.signal });
      return waiting ? waiting.then(() => call.run()) : call.run();
    };
    if (!options.fallback) return run();
    const { fallback } = options;
    const known = (error: Error, value?: T): T | Promise<T> => {
      observed?.fellBack();
      return fallback(error, value);
    };
    return withFallback(options, known, call.report, run);
  }

  /** Picks an instance as a call does, and takes its turn. */
  async choose(
    service: string,
    query?: ServiceQuery,
    options: Pick<CallOptions, 'hashKey' | 'strategy'> = {},
  ): Promise<ServiceInstance> {
    assertCallOptions(query === undefined ? options : { ...options, query });
    const context = this.#context(service);
    const { view, pool } = context.poolFor(query);
    pool.update(view.touch() ?? (await context.initialList(view)));
    const settings = callSettings(context.settings.call, options);
    const { strategy } = settings;
    assertKeyIsUsed(options.hashKey, strategy);
    const target = pool.pick(strategy, {
      hashKey: options.hashKey,
      attempt: 0,
      tried: new Set(),
      mayTry: 'no',
    });
    if (!target) {
      const time = { clock: this.#options.clock, withinMs: settings.attemptTimeoutMs };
      throw await noInstancesError(view, service, query, time);
    }
    return target.instance;
  }

  /**
   * For a transport that makes attempts by itself.
   *
   * @param defaults of the client
   */
  picks(service: string, query: ServiceQuery | undefined, defaults: CallDefaults | undefined): TargetPicks {
    const context = this.#context(service);
    return new TargetPicks(context, query, context.settingsWith(defaults), this.#options);
  }

  /** How an HTTP client calls a service: its settings, with those of the client or the request. */
  httpSettings(service: string, options: HttpDefaults): HttpSettings {
    return httpSettings(options, this.#context(service).settings.http);
  }

  /** The services that were called. */
  get services(): Iterable<ServiceContext> {
    return this.#services.values();
  }

  /** The state of the calls to a service; undefined: there were none. */
  find(service: string): ServiceContext | undefined {
    return this.#services.get(service);
  }

  /** The targets of a query, and the limits of its service; undefined for a query that calls cannot have. */
  explain(
    service: string,
    query: ServiceQuery,
  ): { pool: TargetPool; limits: CallLimits | undefined } | undefined {
    if (query.near !== undefined) return undefined;
    const context = this.#context(service);
    const { view, pool } = context.poolFor(query);
    if (view.snapshot) pool.update(view.snapshot);
    return { pool, limits: context.limits };
  }

  /** As `explain`, of what is there: to look does not make it a service that is called. */
  peek(
    service: string,
    query: ServiceQuery,
  ): { pool: TargetPool; limits: CallLimits | undefined } | undefined {
    const context = this.#services.get(service);
    const pool = context?.findPool(query)?.pool;
    return context && pool && { pool, limits: context.limits };
  }

  /** Milliseconds of the clock in which ejections are expressed. */
  now(): number {
    return this.#options.clock.now();
  }

  close(): void {
    for (const service of this.#services.values()) service.close();
    this.#tools.wheel.close();
  }

  #context(name: string): ServiceContext {
    const known = this.#services.get(name);
    if (known) return known;
    const { clock, clients = {} } = this.#options;
    const settings = serviceSettings(clients, name);
    const context = new ServiceContext(name, this.#catalog, settings, clock, this.#options);
    // Before it is there: it is not used yet, and would be the one that is evicted.
    if (this.#services.size >= MAX_SERVICES) evict(this.#services, ({ isUnused }) => isUnused)?.close();
    this.#services.set(name, context);
    return context;
  }
}

async function withFallback<T>(
  { signal, discardResponse }: TransportOptions<T>,
  fallback: NonNullable<Fallback<T>['fallback']>,
  report: CallReport,
  run: () => Promise<CallResult<T>>,
): Promise<CallResult<T>> {
  let failedValue: T | undefined;
  try {
    const result = await run();
    if (result.failure === undefined) return result;
    failedValue = result.value;
    throw new CallError('RK_CALL_FAILED', report, new Error(result.failure));
  } catch (error) {
    if (signal?.aborted) throw error;
    let value: T | undefined;
    try {
      value = await fallback(error as Error, failedValue);
      return { value, call: report, failure: undefined };
    } finally {
      // Its caller reads what the fallback hands on.
      if (failedValue !== undefined && failedValue !== value) discardResponse?.(failedValue);
    }
  }
}
