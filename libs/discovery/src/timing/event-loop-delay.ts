import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 20;
const NS_PER_MS = 1e6;

/** How late timers of this process are, since the last look. */
export class EventLoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#histogram.enable();
  }

  /** In milliseconds; begins anew. */
  take(): { readonly meanMs: number; readonly p99Ms: number } {
    const { mean } = this.#histogram;
    const taken = { meanMs: beyondResolution(mean), p99Ms: beyondResolution(this.#histogram.percentile(99)) };
    this.#histogram.reset();
    return taken;
  }

  close(): void {
    this.#histogram.disable();
  }
}

/** The histogram includes its own resolution; the mean of none is no number. */
function beyondResolution(nanoseconds: number): number {
  return Math.max(0, (nanoseconds || 0) / NS_PER_MS - RESOLUTION_MS);
}
