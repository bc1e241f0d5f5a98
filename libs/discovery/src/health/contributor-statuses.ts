import type { HealthIndicatorResult } from '@nestjs/terminus';
import type { Contributor } from './health-contributors.js';

/** A key of the health result has another status than before. */
export interface HealthChange {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** What it says about it, in one line. Default: nothing. */
  readonly reason: string | undefined;
}

/** What one contributor said last. */
interface Said {
  /** Which of its runs it was: of several at once the one that began last counts. */
  readonly run: number;
  readonly statuses: ReadonlyMap<string, string>;
  /** It has failed before it named a key, and stands under its own name. */
  readonly isUnnamed: boolean;
}

const LONGEST_REASON = 300;

/** What contributors said last: the keys of their results, and each key's status. */
export class ContributorStatuses {
  readonly #said = new Map<Contributor, Said>();
  #runs = 0;

  /** A run of a contributor begins. @returns its number */
  begin(): number {
    return ++this.#runs;
  }

  /** The result of a contributor that threw or hung, under the keys by which it is known. */
  failed(contributor: Contributor, message: string): HealthIndicatorResult {
    const said = this.#said.get(contributor);
    const keys = said && !said.isUnnamed ? [...said.statuses.keys()] : [contributor.name];
    return Object.fromEntries(keys.map((key) => [key, { status: 'down', message }]));
  }

  /** @returns what is different from before; of the first result nothing, which the registration tells */
  record(contributor: Contributor, run: number, result: HealthIndicatorResult): readonly HealthChange[] {
    const before = this.#said.get(contributor);
    if (before && before.run > run) return [];
    const entries = Object.entries(result);
    const statuses = new Map(entries.map(([name, { status }]): [string, string] => [name, status]));
    // The first key that a contributor names takes the place of its own name.
    const isUnnamed =
      statuses.size === 1 && statuses.has(contributor.name) && (before === undefined || before.isUnnamed);
    this.#said.set(contributor, { run, statuses, isUnnamed });
    const ofOwnName = before?.isUnnamed === true ? before.statuses.get(contributor.name) : undefined;
    return entries.flatMap(([name, { status: to, ...rest }]) => {
      const from = before?.statuses.get(name) ?? ofOwnName;
      if (from === undefined || from === to) return [];
      return [{ name, from, to, reason: reasonOf((rest as { message?: unknown }).message) }];
    });
  }
}

/** Messages of drivers have several lines, and may have whole queries. */
function reasonOf(message: unknown): string | undefined {
  if (typeof message !== 'string') return undefined;
  const [line = ''] = message.split('\n');
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON)}…` : line;
}
