import { AsyncResource } from 'node:async_hooks';
import type { PickRequest, TargetPool } from '../balancing/target-pool.js';
import type { Outcome, TargetState } from '../balancing/target/tracked-target.js';
import type { ServiceSnapshot } from '../catalog/service-snapshot.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { describeQuery, isNarrowing, type ServiceQuery } from '../registry/service-query.js';
import { abortable, bounded } from '../timing/with-timeout.js';
import { abortReason } from '../timing/clock.js';
import type { Deadline } from '../timing/timer-wheel.js';
import { CallError } from './call-error.js';
import type { AttemptRecord, CallReport, TransportOptions } from './options/call-options.js';
import type { CallSettings, HedgeRules } from './options/call-settings.js';
import type { CalledService, Queried } from './service-context.js';
import { mayRetry, retryPause } from './retry-decision.js';
import { RunningAttempt, type Attempt, type AttemptEnd, type CallTools } from './running-attempt.js';
import { AttemptTimeout, type Verdict } from './attempt-result.js';

/** Even where nothing is sent: a call that finds ten instances gone has other troubles. */
const MOST_ATTEMPTS = 10;
const LOST = 'another attempt was answered first';

/** One call on its way: the attempts, and what decides on the next one. */
export class ServiceCall<T> {
  readonly report: CallReport;
  readonly #attempts: AttemptRecord[] = [];
  readonly #service: CalledService;
  readonly #attempt: Attempt<T>;
  readonly #options: TransportOptions<T>;
  readonly #settings: CallSettings;
  readonly #deadline: number;
  readonly #tools: CallTools;
  readonly #tried = new Set<TargetState>();
  readonly #running = new Set<RunningAttempt<T>>();
  #begun = 0;
  #outcome: Outcome | undefined;

  constructor(
    service: CalledService,
    attempt: Attempt<T>,
    options: TransportOptions<T>,
    settings: CallSettings,
    deadline: number,
    tools: CallTools,
  ) {
    this.#service = service;
    this.#attempt = attempt;
    this.#options = options;
    this.#settings = settings;
    this.#deadline = deadline;
    this.#tools = tools;
    this.report = { service: service.name, attempts: this.#attempts };
  }

  /** Whether it counts against the service; undefined: it says nothing of it. */
  get hasFailed(): boolean | undefined {
    if (this.#outcome === undefined || this.#outcome === 'ignored') return undefined;
    return this.#outcome === 'failure';
  }

  /**
   * @throws CallError `RK_CALL_FAILED`, `RK_CALL_TIMEOUT`
   * @throws DiscoveryError `RK_NO_INSTANCES`
   */
  async run(): Promise<AttemptEnd<T>> {
    const { signal } = this.#options;
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

  async #run(): Promise<AttemptEnd<T>> {
    const { signal, repeatable = true, idempotent = false } = this.#options;
    const { retries } = this.#settings;
    const { random } = this.#tools;
    let pool = await this.#pool();
    let target = this.#pick(pool);
    if (!target) throw this.#noInstances();
    for (let retried = 0; ;) {
      // It may have been aborted while something was waited for.
      if (signal?.aborted) throw abortReason(signal);
      const end = await this.#attemptOn(target, pool);
      if (signal?.aborted) throw abortReason(signal);
      const { failure, retryAfter } = end.verdict;
      if (!mayRetry({ failure, idempotent, repeatable, retried, retries })) return this.#end(end);
      pool = await this.#pool();
      const next = this.#nextOne(pool, failure);
      if (!next || this.#begun >= MOST_ATTEMPTS) return this.#end(end);
      // Where there is nobody but who asked to be left alone, or who is full.
      const isSame = this.#attempts.some(({ instance }) => instance === next.instance.id);
      const rest = Math.max(
        next.leaveAloneUntil - this.#tools.clock.now(),
        isSame ? (retryAfter ?? 0) : 0,
        retryPause(failure, retried, random),
      );
      if (this.#rest() <= rest || !(failure === 'not sent' || this.#service.budget.take()))
        return this.#end(end);
      if (rest > 0) await this.#pause(rest);
      // The clock of a pause is a coarse one.
      if (this.#rest() <= 0) return this.#end(end);
      this.#discard(end);
      if (failure === 'sent') retried++;
      // Much may happen in a pause.
      target = next.isListed && !next.ejection ? next : (this.#nextOne(pool, failure) ?? next);
    }
  }

  /** A failed answer is an answer: what to make of it is the business of whoever reads it. */
  #end(end: AttemptEnd<T>): AttemptEnd<T> {
    this.#outcome = end.verdict.outcome;
    if (end.hasValue) return end;
    const code = end.error instanceof AttemptTimeout ? 'RK_CALL_TIMEOUT' : 'RK_CALL_FAILED';
    throw new CallError(code, this.report, end.error);
  }

  /** Somebody else; only what was sent is sent to the same one again, and only where there is no other. */
  #nextOne(pool: TargetPool, failure: Verdict['failure']): TargetState | undefined {
    const next = this.#pick(pool);
    if (next || failure !== 'sent') return next;
    this.#tried.clear();
    return this.#pick(pool);
  }

  #attemptOn(target: TargetState, pool: TargetPool): Promise<AttemptEnd<T>> {
    const { hedge } = this.#settings;
    const first = this.#start(target, pool);
    return hedge && this.#options.idempotent && this.#options.repeatable !== false
      ? this.#hedged(first, pool, hedge)
      : first.ended;
  }

  /**
   * Where the first attempt takes long a second one may overtake it; who loses is abandoned.
   * Source: Dean, Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013.
   */
  #hedged(first: RunningAttempt<T>, pool: TargetPool, rules: HedgeRules): Promise<AttemptEnd<T>> {
    this.#service.earnHedge(rules.extraLoad);
    const after = rules.afterMs ?? this.#service.latencies.at(0.95);
    if (after === undefined || after >= this.#rest()) return first.ended;
    return new Promise((resolve) => {
      let second: RunningAttempt<T> | undefined;
      let failed = 0;
      const settle = (end: AttemptEnd<T>, loser: RunningAttempt<T> | undefined): void => {
        timer.cancel();
        // Who has no answer waits for the other one, if there is any.
        if (end.verdict.outcome !== 'success' && loser && ++failed < 2) return this.#discard(end);
        resolve(end);
        loser?.abandon(new Error(LOST));
      };
      const begin = (): void => {
        if (!this.#service.takeHedge(rules.extraLoad)) return;
        const other = this.#pick(pool);
        if (!other) return;
        second = this.#start(other, pool);
        const started = second;
        void started.ended.then((end) => settle(end, first));
      };
      // In the context of this call, whoever armed the wheel.
      const timer = this.#tools.wheel.after(after, AsyncResource.bind(begin));
      void first.ended.then((end) => settle(end, second));
    });
  }

  #discard({ hasValue, value }: AttemptEnd<T>): void {
    if (hasValue) this.#options.discard?.(value as T);
  }

  #start(target: TargetState, pool: TargetPool): RunningAttempt<T> {
    this.#tried.add(target);
    const { attemptTimeoutMs, timeoutMs } = this.#settings;
    const limitMs = Math.max(1, Math.min(attemptTimeoutMs, this.#rest()));
    const running = new RunningAttempt<T>({
      attempt: this.#attempt,
      target,
      pool,
      number: this.#begun++,
      limitMs,
      // What is left to a second attempt, or by a caller of ours who waits less long, is no measure of an instance.
      isCutShort: limitMs < Math.min(attemptTimeoutMs, timeoutMs) / 2,
      call: this.#options,
      isFailure: this.#settings.isFailure,
      tools: this.#tools,
      onEnd: this.#onEnd,
    });
    this.#running.add(running);
    return running;
  }

  readonly #onEnd = (running: RunningAttempt<T>, record: AttemptRecord): void => {
    this.#running.delete(running);
    this.#attempts.push(record);
    if (this.#settings.hedge && record.reason === undefined) this.#service.latencies.add(record.durationMs);
  };

  #pick(pool: TargetPool): TargetState | undefined {
    const { hashKey, repeatable = true, idempotent = false } = this.#options;
    const isSafe = idempotent && repeatable && this.#settings.retries > 0;
    const request: PickRequest = {
      hashKey,
      attempt: this.#begun,
      tried: this.#tried,
      proves: this.#begun > 0 ? 'never' : isSafe ? 'at once' : 'when overdue',
    };
    return pool.pick(this.#settings.strategy, request);
  }

  /** From memory as a rule; the wait for a first list counts as part of the call. */
  async #pool(): Promise<TargetPool> {
    const queried = this.#service.queried(this.#options.query);
    const snapshot = queried.view.use();
    if (!snapshot) await this.#firstList(queried);
    else queried.pool.update(snapshot);
    return queried.pool;
  }

  async #firstList({ view, pool }: Queried): Promise<void> {
    const { signal } = this.#options;
    const tooLate = (): Error =>
      new CallError('RK_CALL_TIMEOUT', this.report, new Error('no list of it in time'));
    const { clock } = this.#tools;
    const list = this.#service.firstList(view);
    pool.update(await bounded(clock, Math.max(0, this.#rest()), list, tooLate, signal));
  }

  #rest(): number {
    return this.#deadline - this.#tools.clock.now();
  }

  async #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#options;
    let timer: Deadline | undefined;
    const paused = new Promise<void>((resolve) => (timer = this.#tools.wheel.after(milliseconds, resolve)));
    try {
      await (signal ? abortable(paused, signal) : paused);
    } finally {
      timer?.cancel();
    }
  }

  #noInstances(): DiscoveryError {
    const { view } = this.#service.queried(this.#options.query);
    return noInstances(view.snapshot, this.#service.name, this.#options.query);
  }
}

export function noInstances(
  snapshot: ServiceSnapshot | undefined,
  service: string,
  query: ServiceQuery = {},
): DiscoveryError {
  const counts = new Map<string, number>();
  for (const { status } of snapshot?.instances ?? []) counts.set(status, (counts.get(status) ?? 0) + 1);
  const known = [...counts].map(([status, count]) => `${count} ${status}`).join(', ');
  return new DiscoveryError('RK_NO_INSTANCES', `no usable instance of "${service}"${describeQuery(query)}`, {
    hint: known
      ? `The registry knows of ${known}`
      : isNarrowing(query)
        ? `None matches; discovery.explain('${service}', query) tells why`
        : 'The registry knows of none: is it running and registered?',
  });
}
