import type { PoolOptions } from '../balancing/target-pool.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import type { DiscoveryEvent } from '../events/discovery-event.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { ServiceQuery } from '../registry/service-query.js';
import { bounded } from '../timing/with-timeout.js';
import type { Clock, Random } from '../timing/clock.js';
import { TimerWheel } from '../timing/timer-wheel.js';
import { CallError } from './call-error.js';
import type { CallReport, CallOptions, FallbackOptions, TransportOptions } from './options/call-options.js';
import { callSettings, serviceSettings } from './options/call-settings.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { assertCallOptions, assertKeyIsUsed } from './options/assert-call-options.js';
import { CalledService } from './service-context.js';
import type { ClientsOptions } from './options/client-options.js';
import type { Ticket } from './limits/circuit-breaker.js';
import { evict } from './evict.js';
import { incomingCall } from './incoming-call.js';
import type { Attempt, AttemptEnd, CallTools } from './running-attempt.js';
import { noInstances, ServiceCall } from './service-call.js';

export interface CallResult<T> {
  readonly value: T;
  readonly call: CallReport;
}

export interface CallerOptions extends Omit<PoolOptions, 'ejection' | 'slowStart'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly clients?: ClientsOptions;
}

/** Names of services may be made up by the users of an app. */
const MOST_SERVICES = 1_000;

/** Carries a call to an instance, whatever the transport: picks, bounds, repeats and counts. */
export class ServiceCaller {
  readonly #catalog: ServiceCatalog;
  readonly #options: CallerOptions;
  readonly #tools: CallTools;
  readonly #services = new Map<string, CalledService>();

  constructor(catalog: ServiceCatalog, options: CallerOptions) {
    this.#catalog = catalog;
    this.#options = options;
    const { clock, random } = options;
    this.#tools = { clock, random, wheel: new TimerWheel(clock) };
  }

  /**
   * @throws CallError `RK_CALL_FAILED` when the last attempt failed, `RK_CALL_TIMEOUT` past the deadline,
   * `RK_CIRCUIT_OPEN` and `RK_OVERLOADED` without an attempt
   * @throws DiscoveryError `RK_NO_INSTANCES` when no instance may be used
   */
  async call<T>(
    service: string,
    attempt: Attempt<T>,
    options: TransportOptions<T> & FallbackOptions<T> = {},
  ): Promise<CallResult<T>> {
    assertCallOptions(options);
    if (typeof (attempt as unknown) !== 'function')
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `attempt = ${typeof attempt}: must be a function`);
    const called = this.#service(service);
    const settings = callSettings(called.settings.call, options);
    assertKeyIsUsed(options.hashKey, settings.strategy);
    const now = this.#options.clock.now();
    // Whoever waits for us does not wait longer because we wait for somebody else.
    const deadline = Math.min(now + settings.timeoutMs, incomingCall()?.deadline ?? Infinity);
    const call = new ServiceCall(called, attempt, options, settings, deadline, this.#tools);
    let failed: T | undefined;
    try {
      if (deadline <= now)
        throw new CallError('RK_CALL_TIMEOUT', call.report, new Error('who asked for it has given up'));
      const { value, verdict } = await this.#admitted(called, call, options, deadline);
      if (options.fallback && verdict.outcome === 'failure') {
        failed = value;
        throw new CallError('RK_CALL_FAILED', call.report, new Error(verdict.reason));
      }
      // Only what has a value ends without an error.
      return { value: value as T, call: call.report };
    } catch (error) {
      const { fallback, signal } = options;
      if (!fallback || signal?.aborted) throw error;
      try {
        return { value: await fallback(error as Error, failed), call: call.report };
      } finally {
        if (failed !== undefined) options.discard?.(failed);
      }
    }
  }

  /** Picks as a call does: it takes a turn. */
  async choose(
    service: string,
    query?: ServiceQuery,
    options: Pick<CallOptions, 'hashKey' | 'strategy'> = {},
  ): Promise<ServiceInstance> {
    assertCallOptions(query === undefined ? options : { ...options, query });
    const called = this.#service(service);
    const { view, pool } = called.queried(query);
    pool.update(view.use() ?? (await called.firstList(view)));
    const { strategy } = callSettings(called.settings.call, options);
    assertKeyIsUsed(options.hashKey, strategy);
    const request = {
      hashKey: options.hashKey,
      attempt: 0,
      tried: new Set<never>(),
      proves: 'never',
    } as const;
    const target = pool.pick(strategy, request);
    if (!target) throw noInstances(view.snapshot, service, query);
    return target.instance;
  }

  /** What the calls to a service have seen, as far as there were any. */
  find(service: string): CalledService | undefined {
    return this.#services.get(service);
  }

  /** Milliseconds of the clock that ejections are told in. */
  now(): number {
    return this.#options.clock.now();
  }

  close(): void {
    for (const service of this.#services.values()) service.close();
  }

  async #admitted<T>(
    called: CalledService,
    call: ServiceCall<T>,
    options: TransportOptions<T>,
    deadline: number,
  ): Promise<AttemptEnd<T>> {
    const { breaker, bulkhead, budget } = called;
    const ticket = breaker?.admit();
    if (breaker && !ticket) {
      const why = new Error('its circuit breaker is open: most calls of late failed');
      throw new CallError(
        'RK_CIRCUIT_OPEN',
        call.report,
        why,
        'One call tries after a while; give it a fallback',
      );
    }
    let startedAt: number | undefined;
    try {
      if (bulkhead) await this.#enter(called, call, options.signal, deadline);
      startedAt = this.#options.clock.now();
      budget.deposit();
      return await call.run();
    } finally {
      const { hasFailed } = call;
      if (startedAt !== undefined) {
        const tookMs = hasFailed === undefined ? undefined : this.#options.clock.now() - startedAt;
        bulkhead?.exit(tookMs, hasFailed);
      }
      if (ticket) this.#record(called, ticket, hasFailed);
    }
  }

  #record({ breaker, name, settings }: CalledService, ticket: Ticket, hasFailed: boolean | undefined): void {
    const changed = breaker?.record(ticket, hasFailed);
    const { emit } = this.#options;
    const { openMs = 0, failureRate = 0 } = settings.circuitBreaker ?? {};
    const reason = `${Math.round(failureRate * 100)} % of its calls failed, or more`;
    const event: DiscoveryEvent | undefined =
      changed === 'opened'
        ? { type: 'circuit.opened', service: name, reason, for: openMs }
        : changed && { type: 'circuit.closed', service: name };
    if (event) emit(event);
  }

  async #enter<T>(
    { bulkhead, name }: CalledService,
    { report }: ServiceCall<T>,
    signal: AbortSignal | undefined,
    deadline: number,
  ): Promise<void> {
    const place = bulkhead?.enter();
    if (place === true || place === undefined) return;
    if (place === false) {
      const why = new Error(`${bulkhead?.limit} calls to "${name}" are under way, and its queue is full`);
      throw new CallError(
        'RK_OVERLOADED',
        report,
        why,
        'Raise bulkhead.concurrency or bulkhead.queue, or give it a fallback',
      );
    }
    const tooLate = (): Error =>
      new CallError('RK_CALL_TIMEOUT', report, new Error('its turn did not come in time'));
    const { clock } = this.#options;
    try {
      await bounded(clock, Math.max(1, deadline - clock.now()), place.admitted, tooLate, signal);
    } catch (error) {
      if (!place.leave()) bulkhead?.exit();
      throw error;
    }
  }

  #service(name: string): CalledService {
    const known = this.#services.get(name);
    if (known) return known;
    const { clock, clients = {} } = this.#options;
    const service = new CalledService(
      name,
      this.#catalog,
      serviceSettings(clients, name),
      clock,
      this.#options,
    );
    this.#services.set(name, service);
    if (this.#services.size > MOST_SERVICES) evict(this.#services, ({ isUnknown }) => isUnknown)?.close();
    return service;
  }
}
