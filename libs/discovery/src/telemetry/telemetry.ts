import { Logger } from '@nestjs/common';
import type { Meter } from '@opentelemetry/api';
import type { CallObserver } from '../calling/call-observer.js';
import type { DiscoveryEvents } from '../events/discovery-events.js';
import type { ServiceRegistry } from '../registry/service-registry.js';
import type { Clock } from '../timing/clock.js';
import { CallMetrics, serviceLimit } from './call-metrics.js';
import { CallTelemetry } from './call-telemetry.js';
import { errorMessage } from '../errors/error-message.js';
import { countEvents } from './event-metrics.js';
import { guarded } from './guarded-observer.js';
import { OpenTelemetry } from './open-telemetry.js';
import { registryRecorder } from './registry-metrics.js';
import { observeState, type ObservedState } from './state-metrics.js';
import type { TelemetrySettings } from './telemetry-options.js';

export interface TelemetrySources {
  readonly events: DiscoveryEvents;
  readonly registry: ServiceRegistry;
}

/** The SDK of a process is set up by then, if it has one. */
const LOOK_LATER_MS = 10_000;

/** What an app tells to OpenTelemetry, from its start to its end. */
export class Telemetry {
  readonly #clock: Clock;
  readonly #telemetry: OpenTelemetry;
  readonly #calls: CallTelemetry | undefined;
  readonly #services = serviceLimit();
  readonly #releases: (() => void)[] = [];
  readonly #observer: CallObserver | undefined;
  readonly #logger = new Logger('Telemetry');
  #hasWarned = false;
  #isClosed = false;
  #cancelLook: (() => void) | undefined;

  constructor(clock: Clock, settings: TelemetrySettings) {
    this.#clock = clock;
    this.#telemetry = new OpenTelemetry(settings);
    const isOn = settings.spans || settings.metrics;
    this.#calls = isOn ? new CallTelemetry(this.#telemetry, settings.attempts) : undefined;
    this.#observer = this.#calls && guarded(this.#calls, (error) => this.#onThrown(error));
  }

  /** Undefined: telemetry is off. */
  get observer(): CallObserver | undefined {
    return this.#observer;
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
    this.#lookLater();
    this.#whenMetered((meter) => this.#releases.push(observeState(meter, this.#services, state)));
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelLook?.();
    for (const release of this.#releases.splice(0)) release();
  }

  #onThrown(error: unknown): void {
    if (!this.#hasWarned)
      this.#logger.warn(`the SDK of OpenTelemetry threw, calls go on without it: ${errorMessage(error)}`);
    this.#hasWarned = true;
  }

  /** An app that calls nothing has no other occasion to find an SDK that comes later. */
  #lookLater(): void {
    this.#cancelLook = this.#clock.after(LOOK_LATER_MS, () => this.#telemetry.look(this.#clock.now()));
  }

  #whenMetered(work: (meter: Meter) => void): void {
    this.#telemetry.whenMetered((meter) => {
      if (!this.#isClosed) work(meter);
    });
    this.#telemetry.look(this.#clock.now());
  }
}
