import type { HealthIndicatorResult } from '@nestjs/terminus';
import type { Contributor } from './health-contributors.js';

/** A key of the health result has another status than before. */
export interface HealthChange {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** What it says about it. Default: nothing. */
  readonly reason: string | undefined;
}

/** What contributors said last: the keys of their results, and each key's status. */
export class ContributorStatuses {
  readonly #keys = new Map<Contributor, readonly string[]>();
  readonly #statuses = new Map<string, string>();

  /** The result of a contributor that threw or hung, under the keys by which it is known. */
  failed(contributor: Contributor, message: string): HealthIndicatorResult {
    const keys = this.#keys.get(contributor) ?? [contributor.name];
    return Object.fromEntries(keys.map((key) => [key, { status: 'down', message }]));
  }

  /** @returns what is different from before; of the first result nothing, which the registration tells */
  record(contributor: Contributor, result: HealthIndicatorResult): readonly HealthChange[] {
    this.#keys.set(contributor, Object.keys(result));
    return Object.entries(result).flatMap(([name, { status: to, ...rest }]) => {
      const from = this.#statuses.get(name);
      this.#statuses.set(name, to);
      if (from === undefined || from === to) return [];
      const { message } = rest as { message?: unknown };
      return [{ name, from, to, reason: typeof message === 'string' ? message : undefined }];
    });
  }
}
