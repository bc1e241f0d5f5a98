import { reportedInFlight } from '../balancing/target/reported-in-flight.js';
import type { TargetPool } from '../balancing/target-pool.js';
import type { TrackedTarget } from '../balancing/target/tracked-target.js';
import { hostAndPort, type ServiceInstance } from '../registry/service-instance.js';
import type { Clock, Random } from '../timing/clock.js';
import type { Deadline, TimerWheel } from '../timing/timer-wheel.js';
import {
  abandoned,
  classifyError,
  classifyResponse,
  lost,
  outcomeOf,
  type AttemptResult,
} from './attempt-result.js';
import { callHeaders, LOAD_FORMAT_HEADER } from './call-headers.js';
import type { AttemptKind, EndedAttempt, ObservedAttempt, RequestDescription } from './call-observer.js';
import { AttemptTimeout } from './error-kind.js';
import type { IsFailure } from './failure-rules.js';
import type { AttemptRecord, TransportOptions } from './options/call-options.js';
import { fetchResponseInfo } from './response-info.js';

const ASKING: readonly string[] = [LOAD_FORMAT_HEADER, 'TEXT'];

/** What an attempt may need besides its instance. */
export interface AttemptContext {
  /** 0 for the first attempt of a call. */
  readonly attempt: number;
  /** The time limit of the attempt, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * To be sent with the request, over any transport with headers: how long the caller waits; to an app that Rookery registered, the
   * name of the service; and, with the option `context`, what travels on from the request that this app is processing.
   */
  readonly headers: Readonly<Record<string, string>>;
}

/** One try on one instance. It has to end when the signal aborts; otherwise the call goes on without it. */
export type Attempt<T> = (
  instance: ServiceInstance,
  signal: AbortSignal,
  context: AttemptContext,
) => Promise<T>;

/** What a transport has under way for an attempt. */
export interface Transmission {
  cancel(reason: Error): void;
  /** Asked when the time is up: another reason than that the instance did not respond. */
  explainTimeout(): Error | undefined;
}

/** An attempt as its transport sees it: the transport ends it, once, by `succeed` or `fail`. */
export interface OpenAttempt<T> extends AttemptContext {
  readonly instance: ServiceInstance;
  /** Aborts when the attempt is cancelled or has timed out. */
  readonly signal: AbortSignal;
  /** What travels on from the request that this app is processing: names and values in turn. It is in `headers` too. */
  readonly contextHeaders: readonly string[] | undefined;
  /** Told then as well: a signal for each attempt would cost more than a pick. */
  transmission: Transmission | undefined;
  succeed(value: T): void;
  fail(error: unknown): void;
  /** The response is still being read, which is load for the instance until the returned function is called. */
  hold(): () => void;
}

/** Makes attempts; for a transport of this library, which needs no promise and no signal for each of them. */
export type Transport<T> = (attempt: OpenAttempt<T>) => void;

/** The transport that is a function of the caller's. */
export function attemptTransport<T>(attempt: Attempt<T>): Transport<T> {
  return (open) => {
    const { instance, signal } = open;
    // The async function turns an attempt that throws synchronously into one that rejects.
    (async () => attempt(instance, signal, new Context(open)))().then(
      (value) => open.succeed(value),
      (error: unknown) => open.fail(error),
    );
  };
}

export interface CallTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: TimerWheel;
}

/** What the attempts of a call have in common. */
export interface AttemptParent<T> {
  readonly transport: Transport<T>;
  readonly options: TransportOptions<T>;
  readonly isFailure: IsFailure | undefined;
  /** What travels on from the request that this app is processing: names and values in turn. */
  readonly contextHeaders: readonly string[] | undefined;
  /** Servers are asked for their load. */
  readonly asksForLoad: boolean;
  readonly tools: CallTools;
  onAttemptEnd(running: RunningAttempt<T>, record: AttemptRecord): void;
}

export interface AttemptLimits {
  /** 0 for the first attempt of a call. */
  readonly number: number;
  /** By the clock. */
  readonly startedAt: number;
  readonly limitMs: number;
  /** The limit is shorter than usual, since the deadline of the call is near. */
  readonly isCutShort: boolean;
  readonly kind: AttemptKind;
  readonly observed: ObservedAttempt | undefined;
}

/** An attempt in flight: it is bounded by its time limit, and counted once, by how it ended. */
export class RunningAttempt<T> implements OpenAttempt<T>, EndedAttempt {
  transmission: Transmission | undefined;
  readonly #parent: AttemptParent<T>;
  readonly #target: TrackedTarget;
  readonly #pool: TargetPool;
  readonly #limits: AttemptLimits;
  readonly #deadline: Deadline;
  readonly #asksForLoad: boolean;
  #aborting: AbortController | undefined;
  #cancelled: Error | undefined;
  #result: AttemptResult<T> | undefined;
  #onResult: ((result: AttemptResult<T>) => void) | undefined;
  /** Of the response. */
  #status: number | undefined;

  constructor(parent: AttemptParent<T>, target: TrackedTarget, pool: TargetPool, limits: AttemptLimits) {
    this.#parent = parent;
    this.#target = target;
    this.#pool = pool;
    this.#limits = limits;
    const { startedAt, limitMs, observed } = limits;
    this.#asksForLoad = parent.asksForLoad && target.reported.mayAsk(startedAt);
    this.#deadline = parent.tools.wheel.at(startedAt + limitMs, () => this.#timeOut());
    pool.begin(target);
    try {
      if (observed) observed.run<OpenAttempt<T>>(parent.transport, this);
      else parent.transport(this);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Calls back when it has ended, at once if it has already. To be called once. */
  whenEnded(onResult: (result: AttemptResult<T>) => void): void {
    if (this.#result) onResult(this.#result);
    else this.#onResult = onResult;
  }

  get isOver(): boolean {
    return this.#result !== undefined;
  }

  get instance(): ServiceInstance {
    return this.#target.instance;
  }

  get attempt(): number {
    return this.#limits.number;
  }

  get kind(): AttemptKind {
    return this.#limits.kind;
  }

  get request(): RequestDescription | undefined {
    return this.#parent.options.request;
  }

  get status(): number | undefined {
    return this.#status;
  }

  get timeoutMs(): number {
    return this.#limits.limitMs;
  }

  get headers(): Readonly<Record<string, string>> {
    return callHeaders(this.instance, this.timeoutMs, this.contextHeaders);
  }

  get contextHeaders(): readonly string[] | undefined {
    const { contextHeaders } = this.#parent;
    const { observed } = this.#limits;
    const context = observed ? withTrace(contextHeaders, observed.headers) : contextHeaders;
    if (!this.#asksForLoad) return context;
    return context ? [...context, ...ASKING] : ASKING;
  }

  get signal(): AbortSignal {
    this.#aborting ??= new AbortController();
    if (this.#cancelled) this.#aborting.abort(this.#cancelled);
    return this.#aborting.signal;
  }

  hold(): () => void {
    return this.#pool.hold(this.#target);
  }

  /** Another attempt was answered first: cancels this one, and ignores its later outcome. */
  lose(error: Error): void {
    this.#cancel(error, lost(error));
  }

  /** The caller gave up: cancels the attempt, and counts how long it has been without a response. */
  abandon(error: Error): void {
    this.#cancel(error, abandoned(error));
  }

  #cancel(error: Error, result: AttemptResult<never>): void {
    // An attempt that has ended may still be streaming its response.
    if (this.#result) return;
    this.#settle(result);
    this.#abort(error);
  }

  /** Does not wait for the attempt: one that ignores its signal must not block the call. */
  #timeOut(): void {
    const { limitMs, isCutShort } = this.#limits;
    const error = this.transmission?.explainTimeout() ?? new AttemptTimeout(limitMs, isCutShort);
    this.fail(error);
    this.#abort(error);
  }

  #abort(error: Error): void {
    this.#cancelled = error;
    this.#aborting?.abort(error);
    this.transmission?.cancel(error);
  }

  succeed(value: T): void {
    const { isFailure, options: call, tools } = this.#parent;
    const { isCutShort } = this.#limits;
    if (this.#result) {
      // A late response has to be released.
      call.discardResponse?.(value);
      return;
    }
    if (call.isOneWay) {
      this.#settle({ type: 'success', value, isServerError: false, isOneWay: true });
      return;
    }
    try {
      const response = call.readResponse ? call.readResponse(value) : fetchResponseInfo(value);
      this.#status = response?.status;
      const result = classifyResponse(value, response, isFailure, tools.random, isCutShort);
      this.#settle(result);
      // A server that only fails has nothing to do.
      if (response?.load !== undefined && result.type === 'success') this.#learnLoad(response.load);
    } catch (error) {
      // A custom `isFailure` threw.
      call.discardResponse?.(value);
      this.#settle(classifyError(error));
    }
  }

  #learnLoad(header: string): void {
    if (!this.#asksForLoad) return;
    const inFlight = reportedInFlight(header);
    if (inFlight !== undefined) this.#pool.observeLoad(this.#target, inFlight);
  }

  fail(error: unknown): void {
    if (this.#result) return;
    const { isFailure } = this.#parent;
    const { isCutShort } = this.#limits;
    try {
      this.#settle(classifyError(error, isFailure, isCutShort));
    } catch (thrown) {
      this.#settle(classifyError(thrown));
    }
  }

  #settle(result: AttemptResult<T>): void {
    if (this.#result) return;
    this.#result = result;
    this.#deadline.cancel();
    try {
      this.#count(result);
    } finally {
      // An error in the statistics must not block the call.
      this.#onResult?.(result);
    }
  }

  #count(result: AttemptResult<T>): void {
    const target = this.#target;
    const pool = this.#pool;
    const durationMs = this.#parent.tools.clock.now() - this.#limits.startedAt;
    const reason = result.type === 'success' ? undefined : result.reason;
    const outcome = outcomeOf(result);
    pool.report(target, durationMs, outcome, {
      reason: reason ?? '',
      isRefusal: result.type === 'failed' && result.isRefusal,
    });
    if (result.type === 'failed-response') {
      if (result.isMisdirected) pool.backOff(target, result.reason);
      else if (result.backOffMs !== undefined)
        pool.backOff(target, `${result.reason} with Retry-After`, result.backOffMs);
    }
    this.#parent.onAttemptEnd(this, {
      instance: target.instance.id,
      address: hostAndPort(target.instance),
      durationMs,
      reason,
    });
    const error = 'error' in result ? result.error : undefined;
    this.#limits.observed?.settle(this, durationMs, outcome, reason, error);
  }
}

/** The trace of the attempt takes the place of the one that travels on from the incoming request. */
function withTrace(
  context: readonly string[] | undefined,
  trace: readonly string[],
): readonly string[] | undefined {
  if (trace.length === 0) return context;
  if (!context) return trace;
  const names = new Set(trace.filter((_, index) => index % 2 === 0));
  // It belongs to the traceparent that is replaced (W3C Trace Context, 3.3).
  if (names.has('traceparent')) names.add('tracestate');
  const rest = context.filter((_, index) => !names.has(context[index - (index % 2)] ?? ''));
  return [...rest, ...trace];
}

/** Creates its headers only for a transport that has any. */
class Context implements AttemptContext {
  readonly attempt: number;
  readonly timeoutMs: number;
  readonly #open: Pick<AttemptContext, 'headers'>;

  constructor(open: AttemptContext) {
    this.attempt = open.attempt;
    this.timeoutMs = open.timeoutMs;
    this.#open = open;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#open.headers;
  }
}
