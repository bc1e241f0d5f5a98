import type { PickRequest } from '../balancing/target-picker.js';
import { needsReports } from '../balancing/strategies/strategies.js';
import type { TargetPool } from '../balancing/target-pool.js';
import type { TrackedTarget } from '../balancing/target/tracked-target.js';
import type { AdmissibleCall, AdmittedCall } from './admitted-call.js';
import { errorMessage, isError } from '../errors/error-message.js';
import { abortReason } from '../timing/clock.js';
import type { Deadline } from '../timing/timer-wheel.js';
import { withAbort, withTimeout } from '../timing/with-timeout.js';
import {
  hasFailed,
  isResponse,
  outcomeOf,
  retrySafetyOf,
  type AttemptResult,
  type RetrySafety,
} from './attempt-result.js';
import { CallError } from './call-error.js';
import type { AttemptKind, EndedCall, ObservedCall } from './call-observer.js';
import { AttemptTimeout } from './error-kind.js';
import { hedge } from './hedge.js';
import { noInstancesError } from './no-instances-error.js';
import type { AttemptRecord, CallReport, TransportOptions } from './options/call-options.js';
import type { CallSettings } from './options/call-settings.js';
import { mayRetry, retryDelay } from './retry-decision.js';
import { tlsHint } from './tls-hint.js';
import { RunningAttempt, type AttemptParent, type CallTools, type Transport } from './running-attempt.js';
import type { IsFailure } from './failure-rules.js';
import type { IncomingCall } from './incoming-call.js';
import type { QueryPool, ServiceContext } from './service-context.js';

export interface ServiceCallOptions<T> {
  readonly context: ServiceContext;
  readonly transport: Transport<T>;
  readonly options: TransportOptions<T>;
  readonly settings: CallSettings;
  /** By the clock. */
  readonly startedAt: number;
  /** When the call has to end, by the clock. */
  readonly deadline: number;
  /** The request of which it is a part. */
  readonly incoming?: IncomingCall | undefined;
  readonly observed?: ObservedCall | undefined;
  readonly tools: CallTools;
}

/** Attempts of a call that reached an instance: the first, and ten retries. Those that did not are bounded by the number of instances and by the deadline. */
const MAX_ATTEMPTS = 11;

/** How a call ended, with a response. */
export interface CallResult<T> {
  readonly value: T;
  readonly call: CallReport;
  /** Why the response counts as a failure, or that it is an error of the server; undefined: neither. */
  readonly failure: string | undefined;
}

const NONE: ReadonlySet<TrackedTarget> = new Set();

/** One call: its attempts, and the decision on each next one. */
export class ServiceCall<T> implements AttemptParent<T>, AdmissibleCall, EndedCall {
  readonly report: CallReport;
  /** Told when the call is over. */
  admitted: AdmittedCall | undefined;
  lastStatus: number | undefined;
  readonly #call: ServiceCallOptions<T>;
  readonly #attempts: AttemptRecord[] = [];
  readonly #running: RunningAttempt<T>[] = [];
  readonly #tried: TrackedTarget[] = [];
  #started = 0;
  #sent = 0;
  #result: AttemptResult<T> | undefined;

  constructor(call: ServiceCallOptions<T>) {
    this.#call = call;
    this.report = { service: call.context.name, attempts: this.#attempts };
  }

  get transport(): Transport<T> {
    return this.#call.transport;
  }

  get options(): TransportOptions<T> {
    return this.#call.options;
  }

  get isFailure(): IsFailure | undefined {
    return this.#call.settings.isFailure;
  }

  get contextHeaders(): readonly string[] | undefined {
    return this.#call.incoming?.context?.headers;
  }

  get asksForLoad(): boolean {
    return needsReports(this.#call.settings.strategy);
  }

  get tools(): CallTools {
    return this.#call.tools;
  }

  /** Whether the call counts against the service; undefined: it says nothing about it. */
  get hasFailed(): boolean | undefined {
    return hasFailed(this.#result && outcomeOf(this.#result));
  }

  /**
   * The first attempt starts at once where the list is known, and most calls end with it: promises are for the others.
   *
   * @throws CallError `RK_CALL_FAILED`, `RK_CALL_TIMEOUT`
   * @throws DiscoveryError `RK_NO_INSTANCES`
   */
  run(): Promise<CallResult<T>> {
    this.#call.context.retryBudget.deposit();
    return new Promise((resolve, reject) => {
      const { signal } = this.#call.options;
      const onAbort = (): void => {
        if (signal) for (const running of [...this.#running]) running.abandon(abortReason(signal));
      };
      const over = (): void => {
        signal?.removeEventListener('abort', onAbort);
        this.admitted?.end(this.hasFailed);
        this.#count();
      };
      const end = (result: CallResult<T>): void => {
        over();
        resolve(result);
        if (this.#call.observed) this.#tell(result.failure);
      };
      const fail = (error: unknown): void => {
        over();
        reject(isError(error) ? error : new Error(String(error)));
        if (this.#call.observed) this.#tell(errorMessage(error), error);
      };
      try {
        if (signal?.aborted) throw abortReason(signal);
        signal?.addEventListener('abort', onAbort, { once: true });
        const pool = this.#knownPool();
        const target = pool && this.#pick(pool);
        if (!pool || !target) {
          this.#runFrom(pool).then(end, fail);
          return;
        }
        this.#attempt(target, pool, 'first', (result) => {
          if (result.type === 'success' && !signal?.aborted) end(this.#end(result));
          else this.#runAfter(result).then(end, fail);
        });
      } catch (error) {
        fail(error);
      }
    });
  }

  /** It ends with this error before it has begun. */
  rejected<E>(error: E): E {
    this.#count();
    if (this.#call.observed) this.#tell(errorMessage(error), error);
    return error;
  }

  #count(): void {
    const { context, tools, startedAt } = this.#call;
    if (this.wasCancelled) return;
    // A call without any result was rejected, or found no instance.
    const outcome = this.#result ? outcomeOf(this.#result) : 'failure';
    if (outcome === 'ignored' || outcome === 'abandoned') return;
    context.statistics.add(tools.clock.now() - startedAt, outcome !== 'success');
  }

  #tell(failure: string | undefined, error?: unknown): void {
    this.#call.observed?.end(this, failure, error);
  }

  get wasCancelled(): boolean {
    return this.#call.options.signal?.aborted ?? false;
  }

  async #runFrom(known: TargetPool | undefined): Promise<CallResult<T>> {
    const pool = known ?? (await this.#listedPool());
    const target = this.#pick(pool);
    if (!target) throw await this.#noInstances();
    this.#throwIfAborted();
    return this.#runAfter(await this.#attemptOn(target, pool, 'first'));
  }

  /** The decision on each next attempt. */
  async #runAfter(first: AttemptResult<T>): Promise<CallResult<T>> {
    const { idempotent = false } = this.#call.options;
    const { context, settings, tools } = this.#call;
    let result = first;
    try {
      for (let retried = 0; ;) {
        this.#throwIfAborted();
        const retry = retrySafetyOf(result);
        // A local error, such as no file descriptor left, would repeat itself on every instance.
        if (retry !== 'safe' || result.type === 'ignored') this.#sent++;
        const { retries } = settings;
        if (!mayRetry({ retry, idempotent, replayableBody: this.#isReplayable, retried, retries }))
          return this.#end(result);
        const pool = this.#knownPool() ?? (await this.#listedPool());
        const next = this.#next(pool, retry);
        if (!next || this.#sent >= MAX_ATTEMPTS) return this.#end(result);
        const delayMs = Math.max(
          this.#requestedDelay(next, result),
          retryDelay(retry, retried, tools.random),
        );
        if (this.#remainingMs() <= delayMs) return this.#end(result);
        if (retry !== 'safe' && !context.retryBudget.take()) {
          context.refusedRetries.refused();
          return this.#end(result);
        }
        if (delayMs > 0) await this.#delay(delayMs);
        // The timer wheel may be late.
        if (this.#remainingMs() <= 0) return this.#end(result);
        this.#discard(result);
        if (retry === 'if-idempotent') retried++;
        // The signal may have aborted during a wait.
        this.#throwIfAborted();
        // The target may have been removed or ejected during the delay.
        const target = next.isListed && next.ejection.isActive ? next : (this.#next(pool, retry) ?? next);
        result = await this.#attemptOn(target, pool, retry === 'safe' ? 'transparent-retry' : 'retry');
      }
    } catch (error) {
      // It was aborted: the response that was to be replaced is not returned.
      this.#discard(result);
      throw error;
    }
  }

  #throwIfAborted(): void {
    const { signal } = this.#call.options;
    if (signal?.aborted) throw abortReason(signal);
  }

  get #isReplayable(): boolean {
    const { replayableBody = true, isBodyUnread } = this.#call.options;
    return replayableBody || (isBodyUnread?.() ?? false);
  }

  /** Only backed-off or saturated instances are left: wait as long as they asked. */
  #requestedDelay(next: TrackedTarget, result: AttemptResult<T>): number {
    const wasTried = this.#attempts.some(({ instance }) => instance === next.instance.id);
    const retryAfterMs = result.type === 'failed-response' ? (result.retryAfterMs ?? 0) : 0;
    return Math.max(next.backOffUntil - this.#call.tools.clock.now(), wasTried ? retryAfterMs : 0);
  }

  /** A failed response is returned like any other: its meaning is up to the caller. */
  #end(result: AttemptResult<T>): CallResult<T> {
    this.#result = result;
    if (result.type === 'success')
      return {
        value: result.value,
        call: this.report,
        failure: result.isServerError ? 'server error' : undefined,
      };
    if (isResponse(result)) return { value: result.value, call: this.report, failure: result.reason };
    const code = result.error instanceof AttemptTimeout ? 'RK_CALL_TIMEOUT' : 'RK_CALL_FAILED';
    throw new CallError(code, this.report, result.error, tlsHint(result.error));
  }

  /** Another target; a request that was sent goes to the same one again if there is no other. */
  #next(pool: TargetPool, retry: RetrySafety): TrackedTarget | undefined {
    const next = this.#pick(pool);
    if (next || retry !== 'if-idempotent') return next;
    this.#tried.length = 0;
    return this.#pick(pool);
  }

  #attemptOn(target: TrackedTarget, pool: TargetPool, kind: AttemptKind): Promise<AttemptResult<T>> {
    return new Promise((resolve) => this.#attempt(target, pool, kind, resolve));
  }

  #attempt(
    target: TrackedTarget,
    pool: TargetPool,
    kind: AttemptKind,
    onResult: (result: AttemptResult<T>) => void,
  ): void {
    const { settings, options, context, tools } = this.#call;
    const first = this.#start(target, pool, kind);
    const rules = settings.hedge;
    if (!rules || first.isOver || !options.idempotent || options.replayableBody === false) {
      first.whenEnded(onResult);
      return;
    }
    context.hedgeBudget.deposit(rules.budget);
    const delayMs = rules.delayMs ?? context.latencies.at(0.95);
    if (delayMs === undefined || delayMs >= this.#remainingMs()) {
      first.whenEnded(onResult);
      return;
    }
    const startSecond = (): RunningAttempt<T> | undefined => {
      const other = context.hedgeBudget.take(rules.budget) ? this.#pick(pool) : undefined;
      return other && this.#start(other, pool, 'hedge');
    };
    const discard = (result: AttemptResult<T>): void => this.#discard(result);
    const usesAsyncContext = options.usesAsyncContext?.() ?? true;
    hedge(first, { wheel: tools.wheel, delayMs, startSecond, usesAsyncContext, discard }, onResult);
  }

  #discard(result: AttemptResult<T>): void {
    if (isResponse(result)) this.#call.options.discardResponse?.(result.value);
  }

  #start(target: TrackedTarget, pool: TargetPool, kind: AttemptKind): RunningAttempt<T> {
    this.#tried.push(target);
    const { settings, tools, deadline } = this.#call;
    const { attemptTimeoutMs, timeoutMs } = settings;
    const startedAt = tools.clock.now();
    const limitMs = Math.max(1, Math.min(attemptTimeoutMs, deadline - startedAt));
    const running = new RunningAttempt<T>(this, target, pool, {
      number: this.#started++,
      startedAt,
      limitMs,
      // The rest that is left to a retry, or by the deadline of an incoming call, is no measure of an instance.
      isCutShort: limitMs < Math.min(attemptTimeoutMs, timeoutMs) / 2,
      kind,
      observed: this.#call.observed?.attempt(target.instance, kind, this.#started - 1),
    });
    if (!running.isOver) this.#running.push(running);
    return running;
  }

  onAttemptEnd(running: RunningAttempt<T>, record: AttemptRecord): void {
    const { settings, context } = this.#call;
    const at = this.#running.indexOf(running);
    if (at >= 0) this.#running.splice(at, 1);
    this.#attempts.push(record);
    this.lastStatus = running.status;
    if (settings.hedge && record.reason === undefined) context.latencies.add(record.durationMs);
  }

  #pick(pool: TargetPool): TrackedTarget | undefined {
    const { hashKey, replayableBody = true, idempotent = false } = this.#call.options;
    const { retries, strategy } = this.#call.settings;
    const canRetry = idempotent && replayableBody && retries > 0;
    const request: PickRequest = {
      hashKey,
      attempt: this.#started,
      tried: this.#tried.length === 0 ? NONE : new Set(this.#tried),
      mayTry: this.#started > 0 ? 'no' : canRetry ? 'yes' : 'if-overdue',
    };
    return pool.pick(strategy, request);
  }

  /** From memory; undefined: the first list has not come yet. */
  #knownPool(): TargetPool | undefined {
    const { context, options } = this.#call;
    const { view, pool } = context.poolFor(options.query);
    const snapshot = view.touch();
    if (!snapshot) return undefined;
    pool.update(snapshot);
    return pool;
  }

  /** Waiting for the first list is part of the call. */
  async #listedPool(): Promise<TargetPool> {
    const { context, options } = this.#call;
    const opened = context.poolFor(options.query);
    await this.#initialList(opened);
    return opened.pool;
  }

  async #initialList({ view, pool }: QueryPool): Promise<void> {
    const { context, options, tools } = this.#call;
    const onTimeout = (): Error =>
      new CallError(
        'RK_CALL_TIMEOUT',
        this.report,
        new Error('timed out waiting for the first instance list'),
      );
    const list = context.initialList(view);
    const remainingMs = Math.max(0, this.#remainingMs());
    pool.update(await withTimeout(tools.clock, remainingMs, list, onTimeout, options.signal));
  }

  #remainingMs(): number {
    return this.#call.deadline - this.#call.tools.clock.now();
  }

  async #delay(milliseconds: number): Promise<void> {
    const { options, tools } = this.#call;
    let timer: Deadline | undefined;
    const elapsed = new Promise<void>((resolve) => (timer = tools.wheel.after(milliseconds, resolve)));
    try {
      await (options.signal ? withAbort(elapsed, options.signal) : elapsed);
    } finally {
      timer?.cancel();
    }
  }

  #noInstances(): Promise<Error> {
    const { context, options } = this.#call;
    const { view } = context.poolFor(options.query);
    const { clock } = this.#call.tools;
    // A fallback is wanted at once, and its error is seldom read.
    const withinMs = 'fallback' in options && options.fallback ? 0 : Math.max(0, this.#remainingMs());
    const time = { clock, withinMs, signal: options.signal };
    return noInstancesError(view, context.name, options.query, time);
  }
}
