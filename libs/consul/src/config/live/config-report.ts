import { Logger } from '@nestjs/common';
import type { DiscoveryEvent } from '@rookery/discovery';
import { errorMessage, isRefused, type Clock } from '@rookery/discovery/adapter';
import { Subject } from 'rxjs';
import type { ConfigProblem } from '../problem.js';

/** The part of the events that is about configuration. */
export type ConfigEvent = Extract<DiscoveryEvent, { type: `config.${string}` | 'snapshot.failed' }>;

const SHOWN_PATHS = 10;

/** Says in the log and in the events what happens to a configuration; a state that lasts is reported once. No value is shown. */
export class ConfigReport {
  readonly #clock: Clock;
  readonly #logger = new Logger('ConsulConfig');
  readonly #events = new Subject<ConfigEvent>();
  /** The trees whose watch fails at present. */
  readonly #failing = new Set<string>();
  readonly #warned = new Set<string>();
  #failingSince = 0;
  #failure: string | undefined;
  #problems: readonly ConfigProblem[] = [];

  readonly events$ = this.#events.asObservable();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What keeps edits from being used. */
  get problems(): readonly ConfigProblem[] {
    return this.#problems;
  }

  get isFailing(): boolean {
    return this.#failing.size > 0;
  }

  log(message: string): void {
    this.#logger.log(message);
  }

  warnOnce(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#logger.warn(message);
  }

  changed(version: number, paths: readonly string[]): void {
    const more = paths.length > SHOWN_PATHS ? `, and ${paths.length - SHOWN_PATHS} more` : '';
    this.#logger.log(
      `configuration version ${version}: changed ${paths.slice(0, SHOWN_PATHS).join(', ')}${more}`,
    );
    this.#events.next({ type: 'config.changed', version, paths });
  }

  /** All problems that there are now: each is reported once, and once that it is solved. */
  checked(problems: readonly ConfigProblem[]): void {
    const before = this.#problems;
    this.#problems = problems;
    for (const problem of problems) {
      if (before.some(({ key, reason }) => key === problem.key && reason === problem.reason)) continue;
      this.#logger.error(`${problem.key} cannot be used, and the last good values stay: ${problem.reason}`);
      this.#events.next({ type: 'config.invalid', ...problem });
    }
    for (const key of new Set(before.map((problem) => problem.key))) {
      if (problems.some((problem) => problem.key === key)) continue;
      this.#logger.log(`${key} is no longer wrong`);
      this.#events.next({ type: 'config.valid', key });
    }
  }

  suspect(path: string, missing: number, reason: string): void {
    this.#logger.warn(reason);
    this.#events.next({ type: 'config.suspect', path, missing, reason });
  }

  confirmed(path: string, removed: number, reason: string): void {
    this.#logger.warn(`${path}: ${removed} keys are removed: ${reason}`);
    this.#events.next({ type: 'config.confirmed', path, removed, reason });
  }

  rejected(path: string): void {
    this.#logger.log(`${path}: the missing keys are back`);
    this.#events.next({ type: 'config.rejected', path });
  }

  /** The watch of a tree fails; that of all of them is one event. */
  failed(path: string, error: unknown, version: number): void {
    const reason = errorMessage(error);
    const isFirst = this.#failing.size === 0;
    if (isFirst) this.#failingSince = this.#clock.now();
    this.#failing.add(path);
    if (isFirst || (isRefused(error) && this.#failure !== reason))
      this.#logger.warn(
        `cannot watch the keys below ${path}, version ${version} stays in use, retrying: ${reason}`,
      );
    this.#failure = reason;
    if (isFirst) this.#events.next({ type: 'config.stale', path, reason });
  }

  recovered(path: string): void {
    if (!this.#failing.delete(path) || this.#failing.size > 0) return;
    this.#failure = undefined;
    const afterMs = Math.round(this.#clock.now() - this.#failingSince);
    this.#logger.log(`the configuration is watched again, after ${afterMs} ms`);
    this.#events.next({ type: 'config.recovered', afterMs });
  }

  snapshotFailed(file: string, reason: string): void {
    this.#logger.warn(`snapshot ${file}: ${reason}`);
    this.#events.next({ type: 'snapshot.failed', file, reason });
  }

  close(): void {
    this.#events.complete();
  }
}
