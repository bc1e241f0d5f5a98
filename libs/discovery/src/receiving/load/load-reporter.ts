import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { Clock } from '../../timing/clock.js';
import { EventLoopDelay } from '../../timing/event-loop-delay.js';
import { availableCpus } from './available-cpus.js';
import { loadReportText, type LoadReport } from './load-report.js';

/** What is measured over a time is measured anew after this one. */
const SAMPLE_MS = 250;
const IN_FLIGHT = 'in_flight';
const MAX_METRICS = 16;
const US_PER_MS = 1_000;

export interface LoadReporterOptions {
  readonly clock: Clock;
  readonly cpus?: number;
}

/**
 * What this process tells its callers about its load, where they ask for it. Nothing is measured before the first of them has.
 *
 * @example
 * ```ts
 * @Injectable()
 * export class Renderer {
 *   readonly queue: string[] = [];
 *
 *   constructor(load: LoadReporter) {
 *     load.metric('render_queue', () => this.queue.length);
 *   }
 * }
 * ```
 */
export class LoadReporter {
  readonly #clock: Clock;
  readonly #cpus: number;
  readonly #metrics = new Map<string, () => number>();
  #inFlight = 0;
  #calls = 0;
  #failures = 0;
  #delay: EventLoopDelay | undefined;
  #utilization: EventLoopUtilization | undefined;
  #cpu: NodeJS.CpuUsage | undefined;
  #sampledAt: number | undefined;
  #sample: LoadReport = {
    ...{ cpuUtilization: 0, applicationUtilization: 0, callsPerSecond: 0, failuresPerSecond: 0 },
    named: {},
  };
  #sampleText = '';

  constructor({ clock, cpus = availableCpus() }: LoadReporterOptions) {
    this.#clock = clock;
    this.#cpus = cpus;
  }

  /**
   * Adds a metric of the application, read at most four times a second; a value that is no finite number is left out.
   *
   * @param name of small letters, digits and underscores
   * @throws DiscoveryError `RK_INVALID_ARGUMENT` for another name, or more than 16 metrics
   */
  metric(name: string, read: () => number): void {
    if (!/^[a-z][a-z0-9_]{0,39}$/.test(name))
      throw new DiscoveryError('RK_INVALID_ARGUMENT', `"${name}" is not the name of a metric`, {
        hint: 'Take up to 40 small letters, digits and underscores, such as render_queue',
      });
    if (this.#metrics.size >= MAX_METRICS && !this.#metrics.has(name))
      throw new DiscoveryError(
        'RK_INVALID_ARGUMENT',
        `"${name}" would be one metric more than ${MAX_METRICS}`,
        {
          hint: 'Each report has all of them: leave out what callers do not choose by',
        },
      );
    this.#metrics.set(name, read);
  }

  /** A call arrives. */
  begin(): void {
    this.#inFlight++;
  }

  /** It has been answered. */
  end(isFailure: boolean): void {
    this.#inFlight--;
    this.#calls++;
    if (isFailure) this.#failures++;
  }

  report(): LoadReport {
    this.#refresh();
    const { named, ...shares } = this.#sample;
    return { ...shares, named: { [IN_FLIGHT]: this.#inFlight, ...named } };
  }

  /** The header of a response, which does not count the call that it answers. It is wanted for each of them, so that all else in it is put together once. */
  header(): string {
    this.#refresh();
    return `${this.#sampleText}, named_metrics.${IN_FLIGHT}=${Math.max(0, this.#inFlight - 1)}`;
  }

  close(): void {
    this.#delay?.close();
    this.#delay = undefined;
  }

  #refresh(): void {
    const now = this.#clock.now();
    if (this.#sampledAt !== undefined && now - this.#sampledAt < SAMPLE_MS) return;
    this.#measure(now);
    this.#sampleText = loadReportText(this.#sample);
  }

  #metricsNow(): Record<string, number> {
    const values: Record<string, number> = {};
    for (const [name, read] of this.#metrics) {
      const value = valueOf(read);
      if (Number.isFinite(value)) values[name] = value;
    }
    return values;
  }

  #measure(now: number): void {
    const isFirst = this.#sampledAt === undefined;
    const elapsedMs = Math.max(1, now - (this.#sampledAt ?? now));
    this.#delay ??= new EventLoopDelay();
    const utilization = performance.eventLoopUtilization();
    const { utilization: busy } = this.#utilization
      ? performance.eventLoopUtilization(utilization, this.#utilization)
      : utilization;
    const cpu = process.cpuUsage();
    const { meanMs } = this.#delay.take();
    const used = this.#cpu ? cpu.user + cpu.system - this.#cpu.user - this.#cpu.system : 0;
    this.#sample = {
      cpuUtilization: Math.min(1, used / US_PER_MS / elapsedMs / this.#cpus),
      applicationUtilization: Math.min(1, busy),
      // Those before the first report were in another time.
      callsPerSecond: isFirst ? 0 : (this.#calls / elapsedMs) * 1_000,
      failuresPerSecond: isFirst ? 0 : (this.#failures / elapsedMs) * 1_000,
      named: {
        event_loop_utilization: Math.min(1, busy),
        queueing_delay_ms: meanMs,
        ...this.#metricsNow(),
      },
    };
    this.#utilization = utilization;
    this.#cpu = cpu;
    this.#calls = 0;
    this.#failures = 0;
    this.#sampledAt = now;
  }
}

/** One that the app cannot tell at the moment is left out: a report is part of every response. */
function valueOf(read: () => number): number {
  try {
    return read();
  } catch {
    return NaN;
  }
}
