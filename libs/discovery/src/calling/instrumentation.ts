import { hasSubscribers } from 'node:diagnostics_channel';

/** Whether there is instrumentation of HTTP clients, such as that of OpenTelemetry, which finds the parent of a request in its async context. */
export function isInstrumented(): boolean {
  return hasSubscribers('undici:request:create') || hasSubscribers('http.client.request.start');
}
