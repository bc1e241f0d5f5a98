import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheckService, type HealthCheckResult, type HealthIndicatorResult } from '@nestjs/terminus';
import { reasonOf } from '../errors/reason-of.js';
import { bounded } from '../timing/bounded.js';
import { type Clock } from '../timing/clock.js';
import type { HealthGroup } from './health-contributor.decorator.js';
import { HealthContributors, type Contributor } from './health-contributors.js';

/** Runs the app's health contributors through Terminus. */
@Injectable()
export class HealthService {
  readonly #terminus: HealthCheckService;
  readonly #contributors: HealthContributors;
  readonly #clock: Clock;
  readonly #timeoutMs: number;

  constructor(
    terminus: HealthCheckService,
    contributors: HealthContributors,
    clock: Clock,
    timeoutMs: number,
  ) {
    this.#terminus = terminus;
    this.#contributors = contributors;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** The result of one group, or of all; never rejects. */
  async check(group?: HealthGroup): Promise<HealthCheckResult> {
    const indicators = this.#contributors.of(group).map((contributor) => () => this.#run(contributor));
    try {
      return await this.#terminus.check(indicators);
    } catch (error) {
      // Terminus reports a failing check by throwing it.
      if (error instanceof ServiceUnavailableException) return error.getResponse() as HealthCheckResult;
      return { status: 'error', details: { health: { status: 'down', message: reasonOf(error) } } };
    }
  }

  /** A contributor that throws or hangs is down by its name, and does not hide the others' results. */
  async #run(contributor: Contributor): Promise<HealthIndicatorResult> {
    const tooLate = (): Error => new Error(`no result in ${this.#timeoutMs} ms`);
    try {
      const result = await bounded(this.#clock, this.#timeoutMs, (async () => contributor.run())(), tooLate);
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
  const entries = typeof result === 'object' && result !== null ? Object.values(result) : [];
  const known = entries.every((entry: unknown) =>
    STATUSES.has((entry as { status?: unknown } | null)?.status),
  );
  if (entries.length > 0 && known) return;
  throw new Error(
    'it returned no Terminus result; return indicators.check(name).up(), .degraded() or .down()',
  );
}
