import { inspect } from 'node:util';

/** A Nest logger that records its lines, for `app.useLogger` or wherever a logger is passed in. */
export class RecordingLogger {
  readonly lines: string[] = [];

  log(...message: unknown[]): void {
    this.#keep('log', message);
  }

  warn(...message: unknown[]): void {
    this.#keep('warn', message);
  }

  error(...message: unknown[]): void {
    this.#keep('error', message);
  }

  debug(...message: unknown[]): void {
    this.#keep('debug', message);
  }

  verbose(...message: unknown[]): void {
    this.#keep('verbose', message);
  }

  fatal(...message: unknown[]): void {
    this.#keep('fatal', message);
  }

  /** The lines that match. */
  matching(pattern: RegExp): string[] {
    return this.lines.filter((line) => pattern.test(line));
  }

  #keep(level: string, message: unknown[]): void {
    const text = message.map((part) => (typeof part === 'string' ? part : inspect(part, { depth: 10 })));
    this.lines.push([level, ...text].join(' '));
  }
}
