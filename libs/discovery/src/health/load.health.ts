import { getHeapStatistics } from 'node:v8';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { EventLoopDelay } from '../timing/event-loop-delay.js';
import type { Contributor } from './health-contributors.js';

export interface LoadLimits {
  /** Event-loop delay, 99th percentile since the last check, in milliseconds. */
  readonly eventLoopLagMs: number | undefined;
  /** Share of the heap limit that is in use, 0 to 1. */
  readonly heapUsed: number | undefined;
}

/** *Degraded* while the process is short of CPU time or memory, so that calls go to other instances. */
export class LoadHealth implements Contributor {
  readonly name = 'load';
  readonly groups = ['readiness'];
  readonly timeout = undefined;
  readonly #limits: LoadLimits;
  readonly #delay = new EventLoopDelay();

  constructor(limits: LoadLimits) {
    this.#limits = limits;
  }

  run(): HealthIndicatorResult {
    const { p99Ms: lagMs } = this.#delay.take();
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    return toHealthResult({ lagMs, heapUsed: used / limit }, this.#limits);
  }

  close(): void {
    this.#delay.close();
  }
}

export function toHealthResult(
  load: { readonly lagMs: number; readonly heapUsed: number },
  limits: LoadLimits,
): HealthIndicatorResult {
  const eventLoopLagMs = Math.round(load.lagMs);
  const heapUsed = Math.round(load.heapUsed * 1000) / 1000;
  const exceeded: string[] = [];
  if (limits.eventLoopLagMs !== undefined && load.lagMs > limits.eventLoopLagMs)
    exceeded.push(`event loop delay of ${eventLoopLagMs} ms, more than ${limits.eventLoopLagMs} ms`);
  if (limits.heapUsed !== undefined && load.heapUsed > limits.heapUsed)
    exceeded.push(`${Math.round(load.heapUsed * 100)} % of the heap in use`);
  const measured = { eventLoopLagMs, heapUsed };
  if (exceeded.length === 0) return { load: { status: 'up', ...measured } };
  return {
    load: { status: 'degraded', message: exceeded.join(', '), ...measured },
  } as unknown as HealthIndicatorResult;
}
