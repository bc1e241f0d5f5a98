import type { Interceptor } from '@grpc/grpc-js';
import type { DiscoveryService } from '@rookery/discovery';
import {
  assertPicksOptions,
  deadlineOf,
  discoveryPicks,
  incomingCall,
  systemClock,
  type TargetPicks,
} from '@rookery/discovery/adapter';
import { latestApp } from '../connected-apps.js';
import { installed } from './experimental-api.js';
import type { GrpcCallOptions } from './grpc-call-options.js';
import { InterceptedCall, type OpenCalls } from './intercepted-call.js';

/** How the calls of a client are made; the rest is decided by its channel. */
export interface CallInterceptorOptions extends Pick<GrpcCallOptions, 'timeout' | 'isFailure'> {
  /**
   * More than 0: a call that is no stream, and whose connection ends in the middle of its response, is made once more. All other retries are the channel's. Default: 0.
   */
  retries?: number;
  /** Default: that of the latest app of this process which has imported `GrpcDiscoveryModule`. */
  discovery?: DiscoveryService;
}

/**
 * Gives the calls of a stock client what those of `@GrpcServiceClient` have: a deadline (`timeout`, default 10 s, for calls that are no streams and are given none), which is never later
 * than that of the request that the app is processing; what travels on with it, such as `traceparent`; the circuit breaker and the bulkhead of the
 * service; metrics and a span.
 *
 * @example
 * ```ts
 * channelOptions: { interceptors: [callInterceptor('library', { timeout: '2s' })] }
 * ```
 * @throws DiscoveryError `RK_CONFIG_INVALID` for a wrong option
 */
export function callInterceptor(
  service: string,
  { discovery, ...options }: CallInterceptorOptions = {},
): Interceptor {
  assertPicksOptions(`callInterceptor('${service}')`, options);
  let bound: { readonly app: DiscoveryService; readonly picks: TargetPicks } | undefined;
  return interceptCalls(() => {
    const app = discovery ?? latestApp();
    // Its resolver says so.
    if (!app) return undefined;
    if (bound?.app !== app)
      bound = { app, picks: discoveryPicks(app, service, { retries: 0, ...options }, 'callInterceptor') };
    return bound.picks;
  });
}

/**
 * @param picksOf undefined: there is no app to call for
 * @param open filled with the calls that have not ended
 */
export function interceptCalls(picksOf: () => TargetPicks | undefined, open?: OpenCalls): Interceptor {
  return (options, nextCall) => {
    const picks = picksOf();
    if (!picks) return new installed.InterceptingCall(nextCall(options));
    const { requestStream, responseStream } = options.method_definition;
    const isStream = requestStream || responseStream;
    const incoming = incomingCall();
    const now = Date.now();
    const byDefault = isStream ? Infinity : now + picks.settings.timeoutMs;
    const own = options.deadline === undefined ? byDefault : Number(options.deadline);
    const received = incoming ? now + deadlineOf(incoming) - systemClock.now() : Infinity;
    const deadline = Math.min(own, received);
    // To spread them takes V8 six times as long, since they come of Object.assign.
    const dated = deadline === Infinity ? options : Object.assign({}, options, { deadline });
    return new InterceptedCall({ picks, deadline, isStream, incoming, open }, dated, nextCall);
  };
}
