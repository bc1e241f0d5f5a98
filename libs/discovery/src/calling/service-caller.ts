import { type LoadBalancer } from '../balancing/load-balancer.js';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import { usableInstances, type ServiceSnapshot } from '../catalog/service-snapshot.js';
import { toMilliseconds, type Duration } from '../configuration/duration.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/reason-of.js';
import { hostAndPort, type ServiceInstance } from '../registry/service-instance.js';
import { describeQuery, isNarrowing, queryKey, type ServiceQuery } from '../registry/service-query.js';
import { abortable, bounded } from '../timing/bounded.js';
import { abortReason, type Clock } from '../timing/clock.js';
import { CallError } from './call-error.js';
import type { AttemptRecord, CallOptions, CallReport } from './call-options.js';
import { isNotSent } from './not-sent.js';

/** One try on one instance. It must end when the signal aborts; if it does not, the call goes on without it. */
export type Attempt<T> = (instance: ServiceInstance, signal: AbortSignal) => Promise<T>;

export interface CallResult<T> {
  readonly value: T;
  readonly call: CallReport;
}

export interface CallerOptions {
  readonly clock: Clock;
  /** One balancer for each service. */
  readonly createBalancer: () => LoadBalancer;
}

/** Queries may be made up by the users of an app. */
const MOST_BALANCERS = 1_000;
const CALL_TIMEOUT_MS = 10_000;
const ATTEMPT_TIMEOUT_MS = 5_000;

/** Carries a call to an instance, whatever the transport. What was not sent goes to the next instance. */
export class ServiceCaller {
  readonly #catalog: ServiceCatalog;
  readonly #options: CallerOptions;
  readonly #balancers = new Map<string, LoadBalancer>();

  constructor(catalog: ServiceCatalog, options: CallerOptions) {
    this.#catalog = catalog;
    this.#options = options;
  }

  /**
   * @throws CallError `RK_CALL_FAILED` when the last attempt failed, `RK_CALL_TIMEOUT` past the deadline
   * @throws DiscoveryError `RK_NO_INSTANCES` when no instance may be used
   */
  async call<T>(service: string, attempt: Attempt<T>, options: CallOptions = {}): Promise<CallResult<T>> {
    assertKnownOptions(options);
    const { clock } = this.#options;
    const callTimeout = limit(options.timeout ?? CALL_TIMEOUT_MS, 'call.timeout');
    const attemptTimeout = limit(options.attemptTimeout ?? ATTEMPT_TIMEOUT_MS, 'call.attemptTimeout');
    const deadline = clock.now() + callTimeout;
    const attempts: AttemptRecord[] = [];
    const tried = new Set<string>();
    const call: CallReport = { service, attempts };

    for (;;) {
      const snapshot = await this.#snapshot(service, options, deadline, call);
      const instance = this.#balancer(service, options.query).pick(usableInstances(snapshot, options.query), {
        tried,
      });
      if (!instance) {
        const none = noInstances(snapshot, options.query);
        throw attempts.length > 0 ? new CallError('RK_CALL_FAILED', call, none) : none;
      }
      tried.add(instance.id);

      const startedAt = clock.now();
      const record = (reason: string | undefined): void => {
        attempts.push({
          instance: instance.id,
          address: hostAndPort(instance),
          durationMs: clock.now() - startedAt,
          reason,
        });
      };
      try {
        const limitMs = Math.max(1, Math.min(attemptTimeout, deadline - startedAt));
        const value = await this.#attempt(attempt, instance, limitMs, options.signal);
        record(undefined);
        return { value, call };
      } catch (error) {
        if (options.signal?.aborted) throw abortReason(options.signal);
        record(reasonOf(error));
        const late = clock.now() >= deadline;
        const left = usableInstances(snapshot, options.query).some(({ id }) => !tried.has(id));
        if (!late && left && isNotSent(error) && options.repeatable !== false) continue;
        throw new CallError(
          error instanceof AttemptTimeout ? 'RK_CALL_TIMEOUT' : 'RK_CALL_FAILED',
          call,
          error,
        );
      }
    }
  }

  /** Picks as a call does: it takes a turn. */
  async choose(service: string, query: ServiceQuery = {}): Promise<ServiceInstance> {
    const snapshot = await this.#catalog.snapshot(service, query);
    const instance = this.#balancer(service, query).pick(usableInstances(snapshot, query), {
      tried: new Set(),
    });
    if (!instance) throw noInstances(snapshot, query);
    return instance;
  }

  /** From memory as a rule; the wait for a first list counts as part of the call. */
  async #snapshot(
    service: string,
    options: CallOptions,
    deadline: number,
    call: CallReport,
  ): Promise<ServiceSnapshot> {
    options.signal?.throwIfAborted();
    const known = this.#catalog.snapshot(service, options.query);
    const tooLate = (): Error => new CallError('RK_CALL_TIMEOUT', call, new Error('no list of it in time'));
    const inTime = bounded(
      this.#options.clock,
      Math.max(0, deadline - this.#options.clock.now()),
      known,
      tooLate,
    );
    return options.signal ? abortable(inTime, options.signal) : inTime;
  }

  /** One for each query: alternating callers of different queries must not share their turns. */
  #balancer(service: string, query: ServiceQuery | undefined): LoadBalancer {
    const key = queryKey(service, query);
    let balancer = this.#balancers.get(key);
    if (!balancer) {
      balancer = this.#options.createBalancer();
      this.#balancers.set(key, balancer);
      const [oldest] = this.#balancers.keys();
      if (this.#balancers.size > MOST_BALANCERS && oldest !== undefined) this.#balancers.delete(oldest);
    }
    return balancer;
  }

  #attempt<T>(
    attempt: Attempt<T>,
    instance: ServiceInstance,
    limitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const aborting = new AbortController();
    return new Promise<T>((resolve, reject) => {
      const release = (): void => {
        cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      // Does not wait for the attempt: one that ignores its signal must not hold up the call.
      const giveUp = (error: Error): void => {
        release();
        aborting.abort(error);
        reject(error);
      };
      const onAbort = (): void => {
        if (signal) giveUp(abortReason(signal));
      };
      const cancel = this.#options.clock.after(limitMs, () => giveUp(new AttemptTimeout(limitMs)));
      signal?.addEventListener('abort', onAbort, { once: true });
      // The arrow turns an attempt that throws at once into one that rejects.
      (async () => attempt(instance, aborting.signal))().then(resolve, reject).finally(release);
    });
  }
}

const OPTIONS: ReadonlySet<string> = new Set(['query', 'timeout', 'attemptTimeout', 'signal', 'repeatable']);

/** `{ qeury: … }` must not mean everybody. */
function assertKnownOptions(options: CallOptions): void {
  for (const key in options) {
    if (OPTIONS.has(key)) continue;
    throw new DiscoveryError('RK_INVALID_ARGUMENT', `call.${key}: unknown option`, {
      hint: 'Known here: query, timeout, attemptTimeout',
    });
  }
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

function limit(value: Duration, field: string): number {
  const milliseconds = toMilliseconds(value, field);
  if (milliseconds > 0) return Math.min(milliseconds, LONGEST_TIMER_MS);
  throw new DiscoveryError('RK_INVALID_ARGUMENT', `${field}: ${JSON.stringify(value)} leaves no time`, {
    hint: 'Leave it out for the default; no call is without a deadline',
  });
}

class AttemptTimeout extends Error {
  constructor(limitMs: number) {
    super(`no answer in ${Math.round(limitMs)} ms`);
  }
}

function noInstances({ service, instances }: ServiceSnapshot, query: ServiceQuery = {}): DiscoveryError {
  const counts = new Map<string, number>();
  for (const { status } of instances) counts.set(status, (counts.get(status) ?? 0) + 1);
  const known = [...counts].map(([status, count]) => `${count} ${status}`).join(', ');
  return new DiscoveryError('RK_NO_INSTANCES', `no usable instance of "${service}"${describeQuery(query)}`, {
    hint: known
      ? `The registry knows of ${known}`
      : isNarrowing(query)
        ? `None matches; discovery.explain('${service}', query) tells why`
        : 'The registry knows of none: is it running and registered?',
  });
}
