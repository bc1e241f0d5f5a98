import type { InterceptingListener, Listener, NextCall, StatusObject } from '@grpc/grpc-js';
import type { ChannelCall } from '@rookery/discovery/adapter';
import { errorOf, rejectionOf } from './call-status.js';
import { installed } from './experimental-api.js';

export type CallListener = Listener & Pick<Required<Listener>, 'onReceiveStatus'>;

export interface StartingCall {
  /** Ended if the call is not admitted: its deadline runs already. */
  readonly next: ReturnType<NextCall>;
  readonly listener: Pick<InterceptingListener, 'onReceiveStatus'>;
  readonly isStream: boolean;
  /** In milliseconds since the epoch; Infinity: none. */
  readonly deadline: number;
  /** Aborts when the caller cancels it. Undefined: it never waits. */
  readonly signal: AbortSignal | undefined;
  readonly proceed: (observer: CallListener) => void;
}

/** Timers may be that early. */
const TIMER_MS = 2;

/** Begins a call as soon as it is admitted, or ends it. */
export function startCall(call: ChannelCall, starting: StartingCall): void {
  const { deadline, signal, proceed, isStream } = starting;
  const begin = (): void => proceed(observerOf(call, isStream));
  const reject = (error: unknown): void => end(starting, rejectionOf(installed, error));
  try {
    const waiting = call.admit(deadline - Date.now(), signal);
    if (!waiting) begin();
    else
      waiting.then(() => {
        // What its deadline has ended would not be answered.
        if (Date.now() < deadline - TIMER_MS) begin();
        else reject(call.expired());
      }, reject);
  } catch (error) {
    // Not before the caller has its call.
    process.nextTick(reject, error);
  }
}

function end({ next, listener }: StartingCall, status: StatusObject): void {
  next.cancelWithStatus(status.code, status.details);
  listener.onReceiveStatus(status);
}

function observerOf(call: ChannelCall, isStream: boolean): CallListener {
  const onReceiveStatus: CallListener['onReceiveStatus'] = (status, next) => {
    const { code, details } = status;
    const error = errorOf(installed, status);
    const name = installed.status[code];
    call.end({ name, details, error }, code === installed.status.CANCELLED);
    next(status);
  };
  if (!isStream) return { onReceiveStatus };
  return {
    onReceiveStatus,
    onReceiveMetadata: (metadata, next) => {
      call.answered();
      next(metadata);
    },
  };
}
