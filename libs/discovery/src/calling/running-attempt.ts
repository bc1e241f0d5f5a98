import type { TargetPool } from '../balancing/target-pool.js';
import type { TargetState } from '../balancing/target/tracked-target.js';
import { hostAndPort, READINESS_META, type ServiceInstance } from '../registry/service-instance.js';
import type { Clock, Random } from '../timing/clock.js';
import type { TimerWheel } from '../timing/timer-wheel.js';
import { SERVICE_HEADER, TIMEOUT_HEADER } from './call-headers.js';
import type { AttemptRecord, TransportOptions } from './options/call-options.js';
import { answerOf, AttemptTimeout, judgeError, judgeValue, type IsFailure, type Verdict } from './attempt-result.js';

/** What an attempt may want to know besides its instance. */
export interface AttemptContext {
  /** 0 for the first. */
  readonly attempt: number;
  /** How long it has, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * To be sent with a request, over whatever transport has headers: how long we wait, and, to an app of ours, which service
   * we mean.
   */
  readonly headers: Readonly<Record<string, string>>;
}

/** One try on one instance. It must end when the signal aborts; if it does not, the call goes on without it. */
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

/** How an attempt ended. */
export interface AttemptEnd<T> {
  readonly verdict: Verdict;
  readonly value?: T;
  readonly error?: unknown;
  readonly hasValue: boolean;
}

export interface AttemptOptions<T> {
  readonly attempt: Attempt<T>;
  readonly target: TargetState;
  readonly pool: TargetPool;
  /** Which one of its call. */
  readonly number: number;
  readonly limitMs: number;
  /** That is less than what attempts of its kind have. */
  readonly isCutShort: boolean;
  readonly call: TransportOptions<T>;
  readonly isFailure: IsFailure | undefined;
  readonly tools: CallTools;
  readonly onEnd: (running: RunningAttempt<T>, record: AttemptRecord) => void;
}

/** An attempt on its way: bounded, counted once, and judged by how it ended. */
export class RunningAttempt<T> {
  /** Never rejects. */
  readonly ended: Promise<AttemptEnd<T>>;
  readonly #options: AttemptOptions<T>;
  readonly #startedAt: number;
  readonly #aborting = new AbortController();
  readonly #deadline;
  #resolve: (end: AttemptEnd<T>) => void = () => undefined;
  #isOver = false;

  constructor(options: AttemptOptions<T>) {
    this.#options = options;
    const { attempt, target, pool, number, limitMs, isCutShort, tools } = options;
    const { instance } = target;
    this.#startedAt = tools.clock.now();
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    this.#deadline = tools.wheel.after(limitMs, () => this.#giveUp(new AttemptTimeout(limitMs, isCutShort)));
    pool.begin(target);
    // The arrow turns an attempt that throws at once into one that rejects.
    (async () => attempt(instance, this.#aborting.signal, new Context(number, limitMs, instance)))().then(
      (value) => this.#answered(value),
      (error: unknown) => this.#failed(error),
    );
  }

  /** Ends it for our part; what it does then is nobody's business, and says nothing of the instance. */
  abandon(error: Error): void {
    // What has ended may go on to give its answer, as a stream.
    if (this.#isOver) return;
    this.#settle({ verdict: judgeError(error, () => false), error, hasValue: false });
    this.#aborting.abort(error);
  }

  /** Does not wait for the attempt: one that ignores its signal must not hold up the call. */
  #giveUp(error: Error): void {
    this.#failed(error);
    this.#aborting.abort(error);
  }

  #answered(value: T): void {
    if (this.#isOver) {
      // It came all the same: somebody has to let go of it.
      this.#options.call.discard?.(value);
      return;
    }
    const { isFailure, call } = this.#options;
    const { answer } = call;
    try {
      const verdict = judgeValue(
        value,
        answer ? answer(value) : answerOf(value),
        isFailure,
        this.#options.tools.random,
      );
      this.#settle({ verdict, value, hasValue: true });
    } catch (error) {
      // The caller's own `isFailure` threw.
      this.#options.call.discard?.(value);
      this.#settle({ verdict: judgeError(error, undefined), error, hasValue: false });
    }
  }

  #failed(error: unknown): void {
    if (this.#isOver) return;
    try {
      const verdict = judgeError(error, this.#options.isFailure);
      this.#settle({ verdict, error, hasValue: false });
    } catch (thrown) {
      this.#settle({ verdict: judgeError(thrown, undefined), error: thrown, hasValue: false });
    }
  }

  #settle(end: AttemptEnd<T>): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline.cancel();
    try {
      this.#count(end.verdict);
    } finally {
      // Whatever becomes of the counting, the call goes on.
      this.#resolve(end);
    }
  }

  #count(verdict: Verdict): void {
    const { target, pool, tools, onEnd } = this.#options;
    const durationMs = tools.clock.now() - this.#startedAt;
    pool.report(target, durationMs, verdict.outcome, verdict);
    if (verdict.isMisdirected) pool.leaveAlone(target, verdict.reason);
    else if (verdict.leaveAlone !== undefined)
      pool.leaveAlone(target, `it asked for a pause with ${verdict.reason}`, verdict.leaveAlone);
    onEnd(this, {
      instance: target.instance.id,
      address: hostAndPort(target.instance),
      durationMs,
      reason: verdict.reason === '' ? undefined : verdict.reason,
    });
  }
}

/** Its headers are made only for a transport that has any. */
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
    // Others than apps of ours would not know the name; and what a list of our own calls a service is not its name.
    return meta[READINESS_META] === undefined ? timeout : { ...timeout, [SERVICE_HEADER]: service };
  }
}
