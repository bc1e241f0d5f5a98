import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheckService, type HealthCheckResult, type HealthIndicatorResult } from '@nestjs/terminus';
import { NamesItsModule } from '../errors/provided-by.js';
import { errorMessage } from '../errors/error-message.js';
import { type Clock } from '../timing/clock.js';
import type { HealthGroup } from './health-contributor.decorator.js';
import { ContributorRuns } from './contributor-runs.js';
import { ContributorStatuses, type HealthChange } from './contributor-statuses.js';
import { HealthContributors, type Contributor } from './health-contributors.js';

export interface HealthServiceOptions {
  readonly clock: Clock;
  /** The default limit of a contributor. */
  readonly timeoutMs: number;
  /** How long a result is reused. */
  readonly cacheMs: number;
  readonly onChange?: (change: HealthChange) => void;
}

interface CachedResult {
  readonly startedAt: number;
  readonly result: Promise<HealthCheckResult>;
  isDone: boolean;
}

const EVERY_GROUP = '';

/** Runs the app's health contributors through Terminus, once for all concurrent requests. */
@Injectable()
@NamesItsModule()
export class HealthService {
  readonly #terminus: HealthCheckService;
  readonly #contributors: HealthContributors;
  readonly #options: HealthServiceOptions;
  readonly #cache = new Map<string, CachedResult>();
  readonly #statuses = new ContributorStatuses();
  readonly #runs: ContributorRuns;
  #notReadyReason: string | undefined;

  constructor(terminus: HealthCheckService, contributors: HealthContributors, options: HealthServiceOptions) {
    this.#terminus = terminus;
    this.#contributors = contributors;
    this.#options = options;
    this.#runs = new ContributorRuns(options.clock);
  }

  /** The result of one group, or of liveness and readiness together; never rejects. */
  async check(group?: HealthGroup): Promise<HealthCheckResult> {
    if (this.#notReadyReason !== undefined && group !== 'liveness') return notReady(this.#notReadyReason);
    const key = group ?? EVERY_GROUP;
    const { clock, cacheMs } = this.#options;
    const last = this.#cache.get(key);
    if (last && (!last.isDone || clock.now() - last.startedAt < cacheMs)) return last.result;
    const cached: CachedResult = { startedAt: clock.now(), result: this.#run(group), isDone: false };
    this.#cache.set(key, cached);
    return cached.result.finally(() => (cached.isDone = true));
  }

  /** Until `markReady()` the app is not ready, whatever its contributors return. */
  markNotReady(reason: string): void {
    this.#notReadyReason = reason;
  }

  markReady(): void {
    this.#notReadyReason = undefined;
  }

  async #run(group: HealthGroup | undefined): Promise<HealthCheckResult> {
    const results: HealthIndicatorResult[] = [];
    const indicators = this.#contributors.of(group).map((contributor) => async () => {
      const result = await this.#runContributor(contributor);
      results.push(result);
      return result;
    });
    try {
      return withDegraded(await this.#terminus.check(indicators), results);
    } catch (error) {
      // Terminus reports a failing check by throwing it.
      if (error instanceof ServiceUnavailableException)
        return withDegraded(error.getResponse() as HealthCheckResult, results);
      return { status: 'error', details: { health: { status: 'down', message: errorMessage(error) } } };
    }
  }

  /** A contributor that throws or hangs is reported as down, and does not hide the other results. */
  async #runContributor(contributor: Contributor): Promise<HealthIndicatorResult> {
    const run = this.#statuses.begin();
    const result = await this.#resultOf(contributor).catch((error: unknown) =>
      this.#statuses.failed(contributor, errorMessage(error)),
    );
    for (const change of this.#statuses.record(contributor, run, result)) this.#options.onChange?.(change);
    return result;
  }

  async #resultOf(contributor: Contributor): Promise<HealthIndicatorResult> {
    const result = await this.#runs.run(contributor, contributor.timeout ?? this.#options.timeoutMs);
    assertResult(result);
    return result;
  }
}

const STATUSES: ReadonlySet<unknown> = new Set(['up', 'degraded', 'down']);

/** Terminus ignores results that it does not know: a forgotten `return` would count as healthy. */
function assertResult(result: unknown): asserts result is HealthIndicatorResult {
  const isRecord = typeof result === 'object' && result !== null && !Array.isArray(result);
  const entries = isRecord ? Object.values(result) : [];
  const known = entries.every((entry: unknown) =>
    STATUSES.has((entry as { status?: unknown } | null)?.status),
  );
  if (entries.length > 0 && known) return;
  throw new Error('not a Terminus result; return indicators.check(name).up(), .degraded() or .down()');
}

function notReady(reason: string): HealthCheckResult {
  const app = { app: { status: 'down', message: reason } } as const;
  return { status: 'shutting_down', info: {}, error: app, details: app };
}

/** Adds degraded results, which Terminus 11 does not know and drops. */
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
