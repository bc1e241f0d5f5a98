import type { PickRequest } from '../balancing/target-picker.js';
import type { TargetPool } from '../balancing/target-pool.js';
import type { TrackedTarget } from '../balancing/target/tracked-target.js';
import { abortReason } from '../timing/clock.js';
import type { Deadline } from '../timing/timer-wheel.js';
import { withAbort, withTimeout } from '../timing/with-timeout.js';
import {
  isResponse,
  outcomeOf,
  retrySafetyOf,
  type AttemptResult,
  type ResponseResult,
  type RetrySafety,
} from './attempt-result.js';
import { CallError } from './call-error.js';
import { AttemptTimeout } from './error-kind.js';
import { hedge } from './hedge.js';
import { noInstancesError } from './no-instances-error.js';
import type { AttemptRecord, CallReport, TransportOptions } from './options/call-options.js';
import type { CallSettings } from './options/call-settings.js';
import { mayRetry, retryDelay } from './retry-decision.js';
import { RunningAttempt, type Attempt, type CallTools } from './running-attempt.js';
import type { QueryPool, ServiceContext } from './service-context.js';

export interface ServiceCallOptions<T> {
  readonly context: ServiceContext;
  readonly attempt: Attempt<T>;
  readonly options: TransportOptions<T>;
  readonly settings: CallSettings;
  /** When the call has to end, by the clock. */
  readonly deadline: number;
  readonly tools: CallTools;
}

/** Attempts of a call that reached an instance. Those that did not are bounded by the number of instances and by the deadline. */
const MAX_ATTEMPTS = 10;

/** One call: its attempts, and the decision on each next one. */
export class ServiceCall<T> {
  readonly report: CallReport;
  readonly #call: ServiceCallOptions<T>;
  readonly #attempts: AttemptRecord[] = [];
  readonly #tried = new Set<TrackedTarget>();
  readonly #running = new Set<RunningAttempt<T>>();
  #started = 0;
  #sent = 0;
  #result: AttemptResult<T> | undefined;

  constructor(call: ServiceCallOptions<T>) {
    this.#call = call;
    this.report = { service: call.context.name, attempts: this.#attempts };
  }

  /** Whether the call counts against the service; undefined: it says nothing about it. */
  get hasFailed(): boolean | undefined {
    switch (this.#result && outcomeOf(this.#result)) {
      case 'failure':
        return true;
      case 'success':
      case 'server-error':
        return false;
      default:
        return undefined;
    }
  }

  /**
   * @throws CallError `RK_CALL_FAILED`, `RK_CALL_TIMEOUT`
   * @throws DiscoveryError `RK_NO_INSTANCES`
   */
  async run(): Promise<ResponseResult<T>> {
    const { signal } = this.#call.options;
    if (!signal) return this.#run();
    signal.throwIfAborted();
    const onAbort = (): void => {
      for (const running of this.#running) running.abandon(abortReason(signal));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await this.#run();
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #run(): Promise<ResponseResult<T>> {
    const { signal, replayableBody = true, idempotent = false } = this.#call.options;
    const { context, settings, tools } = this.#call;
    let pool = await this.#pool();
    let target = this.#pick(pool);
    if (!target) throw await this.#noInstances();
    for (let retried = 0; ;) {
      // The signal may have aborted during a wait.
      if (signal?.aborted) throw abortReason(signal);
      const result = await this.#attemptOn(target, pool);
      if (signal?.aborted) throw abortReason(signal);
      const retry = retrySafetyOf(result);
      // A local error, such as no file descriptor left, would repeat itself on every instance.
      if (retry !== 'safe' || result.type === 'ignored') this.#sent++;
      const { retries } = settings;
      if (!mayRetry({ retry, idempotent, replayableBody, retried, retries })) return this.#end(result);
      pool = await this.#pool();
      const next = this.#next(pool, retry);
      if (!next || this.#sent >= MAX_ATTEMPTS) return this.#end(result);
      const delayMs = Math.max(this.#requestedDelay(next, result), retryDelay(retry, retried, tools.random));
      if (this.#remainingMs() <= delayMs || !(retry === 'safe' || context.retryBudget.take()))
        return this.#end(result);
      if (delayMs > 0) await this.#delay(delayMs);
      // The timer wheel may be late.
      if (this.#remainingMs() <= 0) return this.#end(result);
      this.#discard(result);
      if (retry === 'if-idempotent') retried++;
      // The target may have been removed or ejected during the delay.
      target = next.isListed && next.ejection.isActive ? next : (this.#next(pool, retry) ?? next);
    }
  }

  /** Only backed-off or saturated instances are left: wait as long as they asked. */
  #requestedDelay(next: TrackedTarget, result: AttemptResult<T>): number {
    const wasTried = this.#attempts.some(({ instance }) => instance === next.instance.id);
    const retryAfterMs = result.type === 'failed-response' ? (result.retryAfterMs ?? 0) : 0;
    return Math.max(next.backOffUntil - this.#call.tools.clock.now(), wasTried ? retryAfterMs : 0);
  }

  /** A failed response is returned like any other: its meaning is up to the caller. */
  #end(result: AttemptResult<T>): ResponseResult<T> {
    this.#result = result;
    if (isResponse(result)) return result;
    const code = result.error instanceof AttemptTimeout ? 'RK_CALL_TIMEOUT' : 'RK_CALL_FAILED';
    throw new CallError(code, this.report, result.error);
  }

  /** Another target; a request that was sent goes to the same one again if there is no other. */
  #next(pool: TargetPool, retry: RetrySafety): TrackedTarget | undefined {
    const next = this.#pick(pool);
    if (next || retry !== 'if-idempotent') return next;
    this.#tried.clear();
    return this.#pick(pool);
  }

  #attemptOn(target: TrackedTarget, pool: TargetPool): Promise<AttemptResult<T>> {
    const { settings, options, context, tools } = this.#call;
    const rules = settings.hedge;
    const first = this.#start(target, pool);
    if (!rules || !options.idempotent || options.replayableBody === false) return first.ended;
    context.hedgeBudget.deposit(rules.budget);
    const delayMs = rules.delayMs ?? context.latencies.at(0.95);
    if (delayMs === undefined || delayMs >= this.#remainingMs()) return first.ended;
    return hedge(first, {
      wheel: tools.wheel,
      delayMs,
      startSecond: () => {
        const other = context.hedgeBudget.take(rules.budget) ? this.#pick(pool) : undefined;
        return other && this.#start(other, pool);
      },
      discard: (result) => this.#discard(result),
    });
  }

  #discard(result: AttemptResult<T>): void {
    if (isResponse(result)) this.#call.options.discardResponse?.(result.value);
  }

  #start(target: TrackedTarget, pool: TargetPool): RunningAttempt<T> {
    this.#tried.add(target);
    const { attempt, options, settings, tools } = this.#call;
    const { attemptTimeoutMs, timeoutMs } = settings;
    const limitMs = Math.max(1, Math.min(attemptTimeoutMs, this.#remainingMs()));
    const running = new RunningAttempt<T>({
      attempt,
      target,
      pool,
      number: this.#started++,
      limitMs,
      // The rest that is left to a retry, or by the deadline of an incoming call, is no measure of an instance.
      isCutShort: limitMs < Math.min(attemptTimeoutMs, timeoutMs) / 2,
      call: options,
      isFailure: settings.isFailure,
      tools,
      onEnd: this.#onEnd,
    });
    this.#running.add(running);
    return running;
  }

  readonly #onEnd = (running: RunningAttempt<T>, record: AttemptRecord): void => {
    const { settings, context } = this.#call;
    this.#running.delete(running);
    this.#attempts.push(record);
    if (settings.hedge && record.reason === undefined) context.latencies.add(record.durationMs);
  };

  #pick(pool: TargetPool): TrackedTarget | undefined {
    const { hashKey, replayableBody = true, idempotent = false } = this.#call.options;
    const { retries, strategy } = this.#call.settings;
    const canRetry = idempotent && replayableBody && retries > 0;
    const request: PickRequest = {
      hashKey,
      attempt: this.#started,
      tried: this.#tried,
      mayTry: this.#started > 0 ? 'no' : canRetry ? 'yes' : 'if-overdue',
    };
    return pool.pick(strategy, request);
  }

  /** From memory, except for the first call; waiting for the first list is part of the call. */
  async #pool(): Promise<TargetPool> {
    const { context, options } = this.#call;
    const opened = context.poolFor(options.query);
    const snapshot = opened.view.touch();
    if (!snapshot) await this.#initialList(opened);
    else opened.pool.update(snapshot);
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
