import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import type { Contributor } from './health-contributors.js';

export interface LoadLimits {
  /** Event-loop delay, 99th percentile since the last check, in milliseconds. */
  readonly eventLoopLagMs: number | undefined;
  /** Share of the heap limit that is in use, 0 to 1. */
  readonly heapUsed: number | undefined;
}

const RESOLUTION_MS = 20;
const NS_PER_MS = 1e6;

/** *Degraded* while the process is short of CPU time or memory, so that calls go to other instances. */
export class LoadHealth implements Contributor {
  readonly name = 'load';
  readonly groups = ['readiness'];
  readonly timeout = undefined;
  readonly #limits: LoadLimits;
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor(limits: LoadLimits) {
    this.#limits = limits;
    this.#delay.enable();
  }

  run(): HealthIndicatorResult {
    // The histogram includes its own resolution.
    const lagMs = Math.max(0, this.#delay.percentile(99) / NS_PER_MS - RESOLUTION_MS);
    this.#delay.reset();
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    return toHealthResult({ lagMs, heapUsed: used / limit }, this.#limits);
  }

  close(): void {
    this.#delay.disable();
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
