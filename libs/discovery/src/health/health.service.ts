import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheckService, type HealthCheckResult, type HealthIndicatorResult } from '@nestjs/terminus';
import { reasonOf } from '../errors/error-message.js';
import { bounded } from '../timing/with-timeout.js';
import { type Clock } from '../timing/clock.js';
import type { HealthGroup } from './health-contributor.decorator.js';
import { HealthContributors, type Contributor } from './health-contributors.js';

export interface HealthServiceOptions {
  readonly clock: Clock;
  /** How long a contributor may take that says nothing else, in milliseconds. */
  readonly timeoutMs: number;
  /** How long a result is given to others who ask, in milliseconds. */
  readonly cacheMs: number;
}

interface Answered {
  readonly at: number;
  readonly result: Promise<HealthCheckResult>;
  isDone: boolean;
}

const EVERY_GROUP = '';

/** Runs the app's health contributors through Terminus, once for all who ask at the same time. */
@Injectable()
export class HealthService {
  readonly #terminus: HealthCheckService;
  readonly #contributors: HealthContributors;
  readonly #options: HealthServiceOptions;
  readonly #answered = new Map<string, Answered>();
  #refusal: string | undefined;

  constructor(terminus: HealthCheckService, contributors: HealthContributors, options: HealthServiceOptions) {
    this.#terminus = terminus;
    this.#contributors = contributors;
    this.#options = options;
  }

  /** The result of one group, or of liveness and readiness together; never rejects. */
  async check(group?: HealthGroup): Promise<HealthCheckResult> {
    if (this.#refusal !== undefined && group !== 'liveness') return refused(this.#refusal);
    const key = group ?? EVERY_GROUP;
    const { clock, cacheMs } = this.#options;
    const last = this.#answered.get(key);
    if (last && (!last.isDone || clock.now() - last.at < cacheMs)) return last.result;
    const answered: Answered = { at: clock.now(), result: this.#run(group), isDone: false };
    this.#answered.set(key, answered);
    return answered.result.finally(() => (answered.isDone = true));
  }

  /** From now on the app is not ready, whatever its contributors say, until `accept()`: it leaves. */
  refuse(reason: string): void {
    this.#refusal = reason;
  }

  accept(): void {
    this.#refusal = undefined;
  }

  async #run(group: HealthGroup | undefined): Promise<HealthCheckResult> {
    const results: HealthIndicatorResult[] = [];
    const indicators = this.#contributors.of(group).map((contributor) => async () => {
      const result = await this.#ask(contributor);
      results.push(result);
      return result;
    });
    try {
      return withDegraded(await this.#terminus.check(indicators), results);
    } catch (error) {
      // Terminus reports a failing check by throwing it.
      if (error instanceof ServiceUnavailableException)
        return withDegraded(error.getResponse() as HealthCheckResult, results);
      return { status: 'error', details: { health: { status: 'down', message: reasonOf(error) } } };
    }
  }

  /** A contributor that throws or hangs is down by its name, and does not hide the others' results. */
  async #ask(contributor: Contributor): Promise<HealthIndicatorResult> {
    const { clock, timeoutMs } = this.#options;
    const within = contributor.timeout ?? timeoutMs;
    const tooLate = (): Error => new Error(`no result in ${within} ms`);
    try {
      const result = await bounded(clock, within, (async () => contributor.run())(), tooLate);
      assertResult(result);
      return result;
    } catch (error) {
      return { [contributor.name]: { status: 'down', message: reasonOf(error) } };
    }
  }
}

const STATUSES: ReadonlySet<unknown> = new Set(['up', 'degraded', 'down']);

/** Terminus passes over what it does not know: a forgotten `return` would count as health. */
function assertResult(result: unknown): asserts result is HealthIndicatorResult {
  const isRecord = typeof result === 'object' && result !== null && !Array.isArray(result);
  const entries = isRecord ? Object.values(result) : [];
  const known = entries.every((entry: unknown) =>
    STATUSES.has((entry as { status?: unknown } | null)?.status),
  );
  if (entries.length > 0 && known) return;
  throw new Error(
    'it returned no Terminus result; return indicators.check(name).up(), .degraded() or .down()',
  );
}

function refused(reason: string): HealthCheckResult {
  const app = { app: { status: 'down', message: reason } } as const;
  return { status: 'shutting_down', info: {}, error: app, details: app };
}

/** Terminus 11 knows no `degraded`, and drops what is: an app that is short of something would look well. */
function withDegraded(
  result: HealthCheckResult,
  results: readonly HealthIndicatorResult[],
): HealthCheckResult {
  const dropped = results
    .flatMap((each) => Object.entries(each))
    .filter(([name, { status }]) => (status as string) === 'degraded' && !(name in result.details));
  if (dropped.length === 0) return result;
  const details = { ...result.details, ...Object.fromEntries(dropped) };
  return { ...result, status: result.status === 'ok' ? 'degraded' : result.status, details };
}
