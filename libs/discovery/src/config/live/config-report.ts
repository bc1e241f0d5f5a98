import { Logger } from '@nestjs/common';
import { isRefused } from '../../errors/discovery-error.js';
import { errorMessage } from '../../errors/error-message.js';
import type { DiscoveryEvent } from '../../events/discovery-event.js';
import { fieldsOf, loggerTakesFields } from '../../events/event-log.js';
import type { Clock } from '../../timing/clock.js';
import { concat, defer, Subject } from 'rxjs';
import type { ConfigProblem } from '../problem.js';

/** The part of the events that is about configuration. */
export type ConfigEvent = Extract<DiscoveryEvent, { type: `config.${string}` | 'snapshot.failed' }>;

const SHOWN_PATHS = 10;

/** Says in the log and in the events what happens to a configuration; a state that lasts is reported once. No value is shown. */
export class ConfigReport {
  readonly #clock: Clock;
  readonly #logger = new Logger('LiveConfig');
  readonly #events = new Subject<ConfigEvent>();
  /** The trees whose watch fails at present. */
  readonly #failing = new Set<string>();
  readonly #warned = new Set<string>();
  #failingSince = 0;
  #failure: string | undefined;
  #problems: readonly ConfigProblem[] = [];

  /** A configuration is read before there is an app: a subscriber gets the problems that there are, and then each change. */
  readonly events$ = defer(() =>
    concat(
      this.#problems.map((problem): ConfigEvent => ({ type: 'config.invalid', ...problem })),
      this.#events,
    ),
  );

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
    const changed = paths.slice(0, SHOWN_PATHS).join(', ');
    this.#tell(
      { type: 'config.changed', version, paths },
      'log',
      `configuration version ${version}: changed ${changed}${more}`,
    );
  }

  /** All problems that there are now: each is reported once, and once that it is solved. */
  checked(problems: readonly ConfigProblem[]): void {
    const before = this.#problems;
    this.#problems = problems;
    for (const problem of problems) {
      if (before.some(({ key, reason }) => key === problem.key && reason === problem.reason)) continue;
      this.#tell(
        { type: 'config.invalid', ...problem },
        'error',
        `${problem.key} cannot be used, and the last good values stay: ${problem.reason}`,
      );
    }
    for (const key of new Set(before.map((problem) => problem.key))) {
      if (problems.some((problem) => problem.key === key)) continue;
      this.#tell({ type: 'config.valid', key }, 'log', `${key} is no longer wrong`);
    }
  }

  suspect(path: string, missing: number, reason: string): void {
    this.#tell({ type: 'config.suspect', path, missing, reason }, 'warn', reason);
  }

  confirmed(path: string, removed: number, reason: string): void {
    const message = `${path}: ${removed} keys are removed: ${reason}`;
    this.#tell({ type: 'config.confirmed', path, removed, reason }, 'warn', message);
  }

  rejected(path: string): void {
    this.#tell({ type: 'config.rejected', path }, 'log', `${path}: the missing keys are back`);
  }

  /** The watch of a tree fails; that of all of them is one event. */
  failed(path: string, error: unknown, version: number): void {
    const reason = errorMessage(error);
    const isFirst = this.#failing.size === 0;
    if (isFirst) this.#failingSince = this.#clock.now();
    this.#failing.add(path);
    const isNewRefusal = isRefused(error) && this.#failure !== reason;
    this.#failure = reason;
    const message = `cannot watch the keys below ${path}, version ${version} stays in use, retrying: ${reason}`;
    if (isFirst) this.#tell({ type: 'config.stale', path, reason }, 'warn', message);
    else if (isNewRefusal) this.#logger.warn(message);
  }

  recovered(path: string): void {
    if (!this.#failing.delete(path) || this.#failing.size > 0) return;
    this.#failure = undefined;
    const afterMs = Math.round(this.#clock.now() - this.#failingSince);
    const message = `the configuration is watched again, after ${afterMs} ms`;
    this.#tell({ type: 'config.recovered', afterMs }, 'log', message);
  }

  snapshotFailed(file: string, reason: string): void {
    this.#tell({ type: 'snapshot.failed', file, reason }, 'warn', `snapshot ${file}: ${reason}`);
  }

  close(): void {
    this.#events.complete();
  }

  /** Here rather than where other events are logged, since a configuration is read before there is an app. */
  #tell(event: ConfigEvent, level: 'log' | 'warn' | 'error', message: string): void {
    if (loggerTakesFields()) this.#logger[level](message, fieldsOf(event));
    else this.#logger[level](message);
    this.#events.next(event);
  }
}
