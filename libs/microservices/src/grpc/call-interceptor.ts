import type { Interceptor, InterceptorOptions, Metadata } from '@grpc/grpc-js';
import type { DiscoveryService } from '@rookery/discovery';
import {
  assertPicksOptions,
  deadlineOf,
  discoveryPicks,
  incomingCall,
  systemClock,
  type PicksOptions,
  type TargetPicks,
} from '@rookery/discovery/adapter';
import { latestApp } from '../connected-apps.js';
import { startCall, type CallListener } from './call-start.js';
import { installed } from './experimental-api.js';
import { SHAPE } from './service-picker.js';
import { UnfinishedResponse } from './unfinished-response.js';

/** How the calls of a client are made; the rest is decided by its channel. */
export interface CallInterceptorOptions extends Pick<PicksOptions, 'timeout' | 'isFailure'> {
  /** Default: that of the latest app of this process which has imported `GrpcDiscoveryModule`. */
  discovery?: DiscoveryService;
}

/**
 * Gives the calls of a stock client what those of `@GrpcServiceClient` have: a deadline (`timeout`, default 10 s, for calls that are no streams), which is never later
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
    if (bound?.app !== app) bound = { app, picks: discoveryPicks(app, service, options, 'callInterceptor') };
    return bound.picks;
  });
}

/** @param picksOf undefined: there is no app to call for */
export function interceptCalls(picksOf: () => TargetPicks | undefined): Interceptor {
  return (options, nextCall) => {
    const picks = picksOf();
    if (!picks) return new installed.InterceptingCall(nextCall(options));
    const { requestStream, responseStream, path } = options.method_definition;
    const isStream = requestStream || responseStream;
    const incoming = incomingCall();
    const deadline = earliest(
      options.deadline,
      isStream ? Infinity : Date.now() + picks.settings.timeoutMs,
      Date.now() + deadlineOf(incoming) - systemClock.now(),
    );
    const own: InterceptorOptions = deadline === Infinity ? options : { ...options, deadline };
    const next = nextCall(own);
    const response =
      isStream || picks.settings.retries === 0
        ? undefined
        : new UnfinishedResponse(
            () => picks.takeRetry(),
            () => nextCall(own),
          );
    let leaving: AbortController | undefined;
    return new installed.InterceptingCall(next, {
      start: (metadata, listener, proceed) => {
        const carries = (name: string): boolean => metadata.get(name).length > 0;
        const call = picks.call({ method: path.slice(1), carries });
        if (call) addContext(metadata, call.headers);
        addContext(metadata, incoming?.context?.headers ?? []);
        metadata.set(SHAPE, isStream ? 'stream' : 'unary');
        const begin = (observer: CallListener | undefined): void => {
          const onReceiveStatus = observer?.onReceiveStatus ?? pass;
          proceed(metadata, response?.observe(metadata, listener, onReceiveStatus) ?? observer ?? listener);
        };
        if (!call) {
          begin(undefined);
          return;
        }
        if (call.mayWait) leaving = new AbortController();
        startCall(call, { next, listener, isStream, deadline, signal: leaving?.signal, proceed: begin });
      },
      sendMessage: (message: unknown, proceed) => {
        if (response) response.request = message;
        proceed(message);
      },
      cancel: (cancelled) => {
        leaving?.abort(new Error('Cancelled on client'));
        if (!response?.cancel()) cancelled();
      },
    });
  };
}

const pass: CallListener['onReceiveStatus'] = (status, proceed) => proceed(status);

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
