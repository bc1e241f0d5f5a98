import type { TargetPool } from '../balancing/target-pool.js';
import type { TrackedTarget } from '../balancing/target/tracked-target.js';
import { hostAndPort, READINESS_META, type ServiceInstance } from '../registry/service-instance.js';
import type { Clock, Random } from '../timing/clock.js';
import type { TimerWheel } from '../timing/timer-wheel.js';
import {
  abandoned,
  classifyError,
  classifyResponse,
  lost,
  outcomeOf,
  type AttemptResult,
} from './attempt-result.js';
import { ADDRESS_HEADER, headerText, SERVICE_HEADER, TIMEOUT_HEADER } from './call-headers.js';
import { AttemptTimeout } from './error-kind.js';
import type { IsFailure } from './failure-rules.js';
import type { AttemptRecord, TransportOptions } from './options/call-options.js';
import { fetchResponseInfo } from './response-info.js';

/** What an attempt may need besides its instance. */
export interface AttemptContext {
  /** 0 for the first attempt of a call. */
  readonly attempt: number;
  /** The time limit of the attempt, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * To be sent with the request, over any transport with headers: how long the caller waits and, to an app that
   * Rookery registered, the name of the service.
   */
  readonly headers: Readonly<Record<string, string>>;
}

/** One try on one instance. It has to end when the signal aborts; otherwise the call goes on without it. */
export type Attempt<T> = (
  instance: ServiceInstance,
  signal: AbortSignal,
  context: AttemptContext,
) => Promise<T>;

export interface CallTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: TimerWheel;
}

export interface AttemptOptions<T> {
  readonly attempt: Attempt<T>;
  readonly target: TrackedTarget;
  readonly pool: TargetPool;
  /** 0 for the first attempt of a call. */
  readonly number: number;
  readonly limitMs: number;
  /** The limit is shorter than usual, since the deadline of the call is near. */
  readonly isCutShort: boolean;
  readonly call: TransportOptions<T>;
  readonly isFailure: IsFailure | undefined;
  readonly tools: CallTools;
  readonly onEnd: (running: RunningAttempt<T>, record: AttemptRecord) => void;
}

/** An attempt in flight: it is bounded by its time limit, and counted once, by how it ended. */
export class RunningAttempt<T> {
  /** Never rejects. */
  readonly ended: Promise<AttemptResult<T>>;
  readonly #options: AttemptOptions<T>;
  readonly #startedAt: number;
  readonly #aborting = new AbortController();
  readonly #deadline;
  #resolve: (result: AttemptResult<T>) => void = () => undefined;
  #isOver = false;

  constructor(options: AttemptOptions<T>) {
    this.#options = options;
    const { attempt, target, pool, number, limitMs, isCutShort, tools } = options;
    const { instance } = target;
    this.#startedAt = tools.clock.now();
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    this.#deadline = tools.wheel.after(limitMs, () => this.#timeOut(new AttemptTimeout(limitMs, isCutShort)));
    pool.begin(target);
    // The async function turns an attempt that throws synchronously into one that rejects.
    (async () => attempt(instance, this.#aborting.signal, new Context(number, limitMs, instance)))().then(
      (value) => this.#onValue(value),
      (error: unknown) => this.#onError(error),
    );
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
    if (this.#isOver) return;
    this.#settle(result);
    this.#aborting.abort(error);
  }

  /** Does not wait for the attempt: one that ignores its signal must not block the call. */
  #timeOut(error: Error): void {
    this.#onError(error);
    this.#aborting.abort(error);
  }

  #onValue(value: T): void {
    const { isFailure, isCutShort, call, tools } = this.#options;
    if (this.#isOver) {
      // A late response has to be released.
      call.discardResponse?.(value);
      return;
    }
    try {
      const response = call.readResponse ? call.readResponse(value) : fetchResponseInfo(value);
      this.#settle(classifyResponse(value, response, isFailure, tools.random, isCutShort));
    } catch (error) {
      // A custom `isFailure` threw.
      call.discardResponse?.(value);
      this.#settle(classifyError(error));
    }
  }

  #onError(error: unknown): void {
    if (this.#isOver) return;
    const { isFailure, isCutShort } = this.#options;
    try {
      this.#settle(classifyError(error, isFailure, isCutShort));
    } catch (thrown) {
      this.#settle(classifyError(thrown));
    }
  }

  #settle(result: AttemptResult<T>): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.cancel();
    try {
      this.#count(result);
    } finally {
      // An error in the statistics must not block the call.
      this.#resolve(result);
    }
  }

  #count(result: AttemptResult<T>): void {
    const { target, pool, tools, onEnd } = this.#options;
    const durationMs = tools.clock.now() - this.#startedAt;
    const reason = result.type === 'success' ? undefined : result.reason;
    pool.report(target, durationMs, outcomeOf(result), {
      reason: reason ?? '',
      isRefusal: result.type === 'failed' && result.isRefusal,
    });
    if (result.type === 'failed-response') {
      if (result.isMisdirected) pool.backOff(target, result.reason);
      else if (result.backOffMs !== undefined)
        pool.backOff(target, `${result.reason} with Retry-After`, result.backOffMs);
    }
    onEnd(this, {
      instance: target.instance.id,
      address: hostAndPort(target.instance),
      durationMs,
      reason,
    });
  }
}

/** Creates its headers only for a transport that has any. */
class Context implements AttemptContext {
  readonly attempt: number;
  readonly timeoutMs: number;
  readonly #instance: ServiceInstance;

  constructor(attempt: number, timeoutMs: number, instance: ServiceInstance) {
    this.attempt = attempt;
    this.timeoutMs = timeoutMs;
    this.#instance = instance;
  }

  get headers(): Readonly<Record<string, string>> {
    const { meta, service } = this.#instance;
    const timeout = { [TIMEOUT_HEADER]: String(Math.ceil(this.timeoutMs)) };
    // Only apps that Rookery registered check it: in a static list the same service may have another name.
    if (meta[READINESS_META] === undefined) return timeout;
    return {
      ...timeout,
      [SERVICE_HEADER]: headerText(service),
      [ADDRESS_HEADER]: hostAndPort(this.#instance),
    };
  }
}
