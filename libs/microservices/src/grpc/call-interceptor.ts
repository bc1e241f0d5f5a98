import type { Interceptor, InterceptorOptions, Metadata } from '@grpc/grpc-js';
import { deadlineOf, incomingCall, systemClock } from '@rookery/discovery/adapter';
import { installed } from './experimental-api.js';
import { SHAPE } from './service-picker.js';

/**
 * What every call gets: a deadline, which is never later than that of the request that the app is processing; what travels on with it, such as
 * `traceparent`; and a mark for the picker. A stream has no deadline unless its caller or the request that it is a part of has one.
 *
 * @param timeoutMs of a call that is no stream
 */
export function callInterceptor(timeoutMs: number): Interceptor {
  return (options, nextCall) => {
    const { requestStream, responseStream } = options.method_definition;
    const isStream = requestStream || responseStream;
    const incoming = incomingCall();
    const deadline = earliest(
      options.deadline,
      isStream ? Infinity : Date.now() + timeoutMs,
      Date.now() + deadlineOf(incoming) - systemClock.now(),
    );
    const own: InterceptorOptions = deadline === Infinity ? options : { ...options, deadline };
    return new installed.InterceptingCall(nextCall(own), {
      start: (metadata, listener, next) => {
        addContext(metadata, incoming?.context?.headers ?? []);
        metadata.set(SHAPE, isStream ? 'stream' : 'unary');
        next(metadata, listener);
      },
    });
  };
}

function earliest(given: Date | number | undefined, ...others: readonly number[]): number {
  return Math.min(given === undefined ? Infinity : Number(given), ...others);
}

/** What the caller has set stays. */
function addContext(metadata: Metadata, headers: readonly string[]): void {
  for (let n = 0; n + 1 < headers.length; n += 2) {
    const name = headers[n] ?? '';
    const value = headers[n + 1] ?? '';
    if (!isMetadata(name, value) || metadata.get(name).length > 0) continue;
    metadata.set(name, value);
  }
}

/** HTTP takes more than gRPC does: what it would refuse stays out. A name with that ending has bytes as its value. */
function isMetadata(name: string, value: string): boolean {
  return /^[0-9a-z_.-]+$/.test(name) && !name.endsWith('-bin') && /^[\x20-\x7e]*$/.test(value);
}
