import { z } from 'zod';
import type { OptionShape } from '../configuration/validate-options.js';

/** What is told to OpenTelemetry. Without an SDK in the process there is nothing to tell, and no cost. */
export interface TelemetryOptions {
  /** Spans of calls and of their attempts. Default: true. */
  spans?: boolean;
  /** Metrics of calls, instances, watches, the registration, locks and configuration. Default: true. */
  metrics?: boolean;
  /**
   * Whether attempts get a span and a duration of their own. `auto`: unless something in the process observes the requests of undici, such as
   * `@opentelemetry/instrumentation-undici`, which makes both; they would be there twice. Default: `auto`.
   */
  attempts?: 'auto' | boolean;
}

export interface TelemetrySettings {
  readonly spans: boolean;
  readonly metrics: boolean;
  readonly attempts: 'auto' | boolean;
}

export function telemetrySettings(options: boolean | TelemetryOptions = true): TelemetrySettings {
  if (typeof options === 'boolean') return { spans: options, metrics: options, attempts: 'auto' };
  const { spans = true, metrics = true, attempts = 'auto' } = options;
  return { spans, metrics, attempts };
}

const flag = z.boolean({ error: 'must be true or false' });

export const telemetryOptionsSchema = z.union(
  [
    flag,
    z.strictObject({
      spans: flag.optional(),
      metrics: flag.optional(),
      attempts: z.union([flag, z.literal('auto')], { error: "must be 'auto', true or false" }).optional(),
    } satisfies OptionShape<TelemetryOptions>),
  ],
  { error: 'must be true, false, or an object such as { spans: false }' },
);
