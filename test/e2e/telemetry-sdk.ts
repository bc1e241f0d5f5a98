import { context, metrics, propagation, type SpanKind, trace, type HrTime } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { MeterProvider, MetricReader, type DataPoint, type MetricData } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
  type Sampler,
} from '@opentelemetry/sdk-trace-base';

/** Collects when it is asked. */
class OnDemandReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {
    return;
  }

  protected override async onShutdown(): Promise<void> {
    return;
  }
}

export interface Point {
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of a histogram: how many values it has. */
  readonly value: number;
}

/** The SDK of OpenTelemetry, as an app sets it up, with its spans and metrics in memory. */
export class TelemetrySdk {
  readonly #exporter = new InMemorySpanExporter();
  readonly #reader = new OnDemandReader();

  /** @param sampler default: that of the SDK, which records what has no parent, and what has one that is recorded */
  start(sampler?: Sampler): this {
    const spanProcessors = [new SimpleSpanProcessor(this.#exporter)];
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors, ...(sampler && { sampler }) }));
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [this.#reader] }));
    return this;
  }

  stop(): void {
    for (const api of [trace, context, propagation, metrics]) api.disable();
  }

  /** In the order in which they began. */
  spans(kind?: SpanKind): readonly ReadableSpan[] {
    const micros = ([seconds, nanos]: HrTime): number => seconds * 1e6 + nanos / 1e3;
    return this.#exporter
      .getFinishedSpans()
      .filter((span) => kind === undefined || span.kind === kind)
      .sort((a, b) => micros(a.startTime) - micros(b.startTime));
  }

  async metrics(): Promise<readonly MetricData[]> {
    const { resourceMetrics } = await this.#reader.collect();
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  }

  /** The points of a metric, of all scopes. */
  async points(name: string): Promise<readonly Point[]> {
    const found = (await this.metrics()).filter(({ descriptor }) => descriptor.name === name);
    return found
      .flatMap(({ dataPoints }) => dataPoints as readonly DataPoint<unknown>[])
      .map(({ attributes, value }) => ({
        attributes,
        value: typeof value === 'number' ? value : (value as { count: number }).count,
      }));
  }
}
