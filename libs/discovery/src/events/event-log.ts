import { ConsoleLogger, Logger, type LoggerService } from '@nestjs/common';
import type { Clock } from '../timing/clock.js';
import { describeEvent, type EventLine } from './describe-event.js';
import type { DiscoveryEvent } from './discovery-event.js';

export interface EventLogOptions {
  readonly clock: Clock;
  /** Whether lines have their code and their fields beside their text; asked for each, since an app may set its logger late. */
  readonly structured: () => boolean;
  readonly linesPerMinute: number;
  /** Where the lines of a part of the library are written. Default: a logger of Nest. */
  readonly loggerFor?: (context: string) => LoggerService;
}

const MINUTE_MS = 60_000;

/** The context of the lines of a family of events: the part of the library where it happens. */
const CONTEXTS: Readonly<Record<string, string>> = {
  registration: 'RegistrationService',
  maintenance: 'RegistrationService',
  heartbeat: 'RegistrationService',
  check: 'RegistrationService',
  health: 'HealthService',
  lock: 'LockService',
  leader: 'LeaderElection',
  schedule: 'LeaderElection',
  alert: 'Alerts',
  list: 'ServiceCatalog',
  snapshot: 'ServiceCatalog',
};

/** Events that the deregistration of this very app causes, once it shuts down. */
const OF_LISTS =
  /^(list\.|instance\.(added|removed|status|invalid|unreachable|reachable)|service\.(available|unavailable|failover))/;

/** What was written with one code since a minute began. */
interface Minute {
  readonly code: string;
  lines: number;
  left: number;
  level: EventLine['level'];
}

/** Writes a line for each change of state into the log: what an operator should see without subscribing to anything. */
export class EventLog {
  readonly #options: EventLogOptions;
  readonly #loggers = new Map<string, LoggerService>();
  readonly #minutes = new Map<string, Minute>();
  #cancelMinute: (() => void) | undefined;
  #isLeaving = false;
  #isClosed = false;

  constructor(options: EventLogOptions) {
    this.#options = options;
  }

  write(event: DiscoveryEvent): void {
    if (this.#isLeaving && OF_LISTS.test(event.type)) return;
    const line = describeEvent(event);
    if (!line || this.#isClosed || !this.#isWithinLimit(event.type, line.level)) return;
    this.#print(event.type, line, fieldsOf(event));
  }

  /** The app shuts down: what its own deregistration changes in the lists need not be logged. */
  leave(): void {
    this.#isLeaving = true;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelMinute?.();
    this.#endMinute();
  }

  #isWithinLimit(code: string, level: EventLine['level']): boolean {
    const { clock, linesPerMinute } = this.#options;
    this.#cancelMinute ??= clock.after(MINUTE_MS, () => this.#endMinute());
    // By level as well: critical alerts are not to wait behind others.
    const key = `${code} ${level}`;
    const minute = this.#minutes.get(key) ?? { code, lines: 0, left: 0, level };
    this.#minutes.set(key, minute);
    if (minute.lines++ < linesPerMinute) return true;
    minute.left++;
    return false;
  }

  #endMinute(): void {
    this.#cancelMinute = undefined;
    const minutes = [...this.#minutes.values()];
    this.#minutes.clear();
    for (const { code, left, level } of minutes) {
      if (left === 0) continue;
      const message = `${code}: ${left} more within a minute are not logged`;
      this.#print(code, { level, message }, { code, suppressed: left });
    }
  }

  #print(code: string, { level, message }: EventLine, fields: object): void {
    const [family = ''] = code.split('.');
    const context = CONTEXTS[family] ?? 'ServiceCaller';
    let logger = this.#loggers.get(context);
    if (!logger) {
      logger = this.#options.loggerFor?.(context) ?? new Logger(context);
      this.#loggers.set(context, logger);
    }
    if (this.#options.structured()) logger[level]?.(message, fields);
    else logger[level]?.(message);
  }
}

/** Nest's logger takes structured parameters from version 12 on. One that writes text would say in them again what the text says. */
export function loggerTakesFields(): boolean {
  return 'stringifyParams' in ConsoleLogger.prototype && !writesText(loggerOfApp());
}

/** What `NestFactory.create` and `app.useLogger` have set, which Nest keeps to itself. */
function loggerOfApp(): LoggerService | undefined {
  return (Logger as unknown as { staticInstanceRef?: LoggerService }).staticInstanceRef;
}

/** Those that extend Nest's may write anything. */
function writesText(logger: LoggerService | undefined): boolean {
  return (
    logger?.constructor === ConsoleLogger &&
    (logger as unknown as { options?: { json?: boolean } }).options?.json !== true
  );
}

/** The code, and what is a name or a number: lists of instances are in the text. */
export function fieldsOf(event: DiscoveryEvent): Readonly<Record<string, unknown>> {
  const { type, ...fields } = event;
  const plain = Object.entries(fields).filter(
    ([, value]) => value !== undefined && typeof value !== 'object',
  );
  return { code: type, ...Object.fromEntries(plain) };
}
