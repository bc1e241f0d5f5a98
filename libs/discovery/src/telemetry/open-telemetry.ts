import {
  createNoopMeter,
  metrics,
  trace,
  type Meter,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import type { TelemetrySettings } from './telemetry-options.js';

/** The scope of all spans and metrics: the package, and its version. */
export const SCOPE = { name: '@rookery/discovery', version: '0.1.0' } as const;

/** An SDK may be set up after the app. */
const LOOK_AGAIN_MS = 1_000;

/**
 * The tracer and the meter of the SDK that this process has, if it has any. The API has something to call in any case, which does
 * nothing: to know that it does nothing saves what it would be told.
 */
export class OpenTelemetry {
  readonly #settings: TelemetrySettings;
  #tracer: Tracer | undefined;
  #meter: Meter | undefined;
  #lookedAt = -Infinity;
  #onMeter: ((meter: Meter) => void)[] = [];

  constructor(settings: TelemetrySettings) {
    this.#settings = settings;
  }

  /** @param now milliseconds of a monotonic clock */
  tracer(now: number): Tracer | undefined {
    this.look(now);
    return this.#tracer;
  }

  /** Calls back once there is a meter: at once, or later. */
  whenMetered(onMeter: (meter: Meter) => void): void {
    if (this.#meter) onMeter(this.#meter);
    else this.#onMeter.push(onMeter);
  }

  /** Looks for an SDK, at most once a second until all is found. */
  look(now: number): void {
    const { spans, metrics: isMetered } = this.#settings;
    const isComplete = (this.#tracer ?? !spans) && (this.#meter ?? !isMetered);
    if (isComplete || now - this.#lookedAt < LOOK_AGAIN_MS) return;
    this.#lookedAt = now;
    if (spans) this.#tracer ??= findTracer();
    if (!isMetered || this.#meter) return;
    const meter = (this.#meter = findMeter());
    if (meter) for (const onMeter of this.#onMeter.splice(0)) onMeter(meter);
  }
}

interface ProxyProvider extends TracerProvider {
  getDelegateTracer(name: string, version: string): Tracer | undefined;
}

function findTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  // A proxy stands for a provider that may come later; it may be of another copy of the API.
  return 'getDelegateTracer' in provider
    ? (provider as ProxyProvider).getDelegateTracer(SCOPE.name, SCOPE.version)
    : provider.getTracer(SCOPE.name, SCOPE.version);
}

function findMeter(): Meter | undefined {
  const meter = metrics.getMeter(SCOPE.name, SCOPE.version);
  return meter === createNoopMeter() ? undefined : meter;
}
