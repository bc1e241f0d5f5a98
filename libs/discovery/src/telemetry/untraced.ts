import { context, createContextKey, trace } from '@opentelemetry/api';

/** That of OpenTelemetry's SDKs: the key is the same for all who ask for this name. */
const SUPPRESS_TRACING = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

/**
 * Runs work of which instrumentation makes no span: a request to a registry that waits for a minute for a change, or one that belongs to
 * no trace, would begin traces that say nothing.
 *
 * @param isPartOfTrace the work is a part of a trace where there is one, and is traced there
 */
export function untraced<T>(isPartOfTrace: boolean, work: () => T): T {
  const active = context.active();
  if (isPartOfTrace && trace.getSpan(active)) return work();
  return context.with(active.setValue(SUPPRESS_TRACING, true), work);
}
