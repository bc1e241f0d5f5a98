import type { Meter } from '@opentelemetry/api';
import type { CallObserver } from '../calling/call-observer.js';
import type { DiscoveryEvents } from '../events/discovery-events.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import type { Clock } from '../timing/clock.js';
import { CallMetrics, serviceLimit } from './call-metrics.js';
import { CallTelemetry } from './call-telemetry.js';
import { countEvents } from './event-metrics.js';
import { OpenTelemetry } from './open-telemetry.js';
import { registryRecorder } from './registry-metrics.js';
import { observeState, type ObservedState } from './state-metrics.js';
import type { TelemetrySettings } from './telemetry-options.js';

export interface TelemetrySources {
  readonly events: DiscoveryEvents;
  readonly registry: ServiceRegistry;
}

/** What an app tells to OpenTelemetry, from its start to its end. */
export class Telemetry {
  readonly #clock: Clock;
  readonly #telemetry: OpenTelemetry;
  readonly #calls: CallTelemetry | undefined;
  readonly #services = serviceLimit();
  readonly #releases: (() => void)[] = [];
  #isClosed = false;

  constructor(clock: Clock, settings: TelemetrySettings) {
    this.#clock = clock;
    this.#telemetry = new OpenTelemetry(settings);
    const isOn = settings.spans || settings.metrics;
    this.#calls = isOn ? new CallTelemetry(this.#telemetry, settings.attempts) : undefined;
  }

  /** Undefined: telemetry is off. */
  get observer(): CallObserver | undefined {
    return this.#calls;
  }

  /** What happens from now on is counted, if there is an SDK, or as soon as there is. */
  count(sources: TelemetrySources): void {
    this.#whenMetered((meter) => {
      this.#releases.push(
        countEvents(meter, this.#services, sources.events.events$),
        sources.registry.onRequest(registryRecorder(meter)),
      );
      if (!this.#calls) return;
      const metrics = (this.#calls.metrics = new CallMetrics(meter, this.#services));
      this.#releases.push(() => metrics.close());
    });
  }

  /** What is can be read from now on. */
  observe(state: ObservedState): void {
    this.#whenMetered((meter) => this.#releases.push(observeState(meter, this.#services, state)));
  }

  close(): void {
    this.#isClosed = true;
    for (const release of this.#releases.splice(0)) release();
  }

  #whenMetered(work: (meter: Meter) => void): void {
    this.#telemetry.whenMetered((meter) => {
      if (!this.#isClosed) work(meter);
    });
    this.#telemetry.look(this.#clock.now());
  }
}
