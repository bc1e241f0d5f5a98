import { context, propagation, trace, TraceFlags, type Context, type Span } from '@opentelemetry/api';
import { incomingCall } from '../calling/incoming-call.js';

/**
 * Its trace began in this process, and is not recorded: then its calls are not either. A sampler that would still choose one of them makes
 * a span without a parent, and to ask costs each call what it saves. One that began elsewhere is the sampler's to judge.
 */
export function isDropped(parent: Span): boolean {
  const { traceFlags, isRemote } = parent.spanContext();
  return !isRemote && !(traceFlags & TraceFlags.SAMPLED) && !parent.isRecording();
}

/** Without instrumentation of the server the incoming request is the parent, where the option `context` has it travel on. */
export function parentContext(): Context {
  const active = context.active();
  const headers = trace.getSpan(active) ? undefined : incomingCall()?.context?.headers;
  if (!headers) return active;
  const get = (_: unknown, name: string): string | undefined => {
    const at = headers.indexOf(name);
    return at >= 0 && at % 2 === 0 ? headers[at + 1] : undefined;
  };
  const keys = (): string[] => headers.filter((_, index) => index % 2 === 0);
  return propagation.extract(active, headers, { get, keys });
}

const setter = {
  set: (headers: string[], name: string, value: string) => void headers.push(name.toLowerCase(), value),
};

/** By the propagator of the SDK. */
export function traceHeaders(of: Context): readonly string[] {
  const headers: string[] = [];
  propagation.inject(of, headers, setter);
  return headers;
}
