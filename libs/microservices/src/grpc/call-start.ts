import type { InterceptingListener, NextCall, StatusObject } from '@grpc/grpc-js';
import type { ChannelCall } from '@rookery/discovery/adapter';
import { rejectionOf } from './call-status.js';
import { installed } from './experimental-api.js';

export interface StartingCall {
  /** Ended if the call is not admitted: its deadline runs already. */
  readonly next: Pick<ReturnType<NextCall>, 'cancelWithStatus'>;
  readonly listener: Pick<InterceptingListener, 'onReceiveStatus'>;
  /** In milliseconds since the epoch; Infinity: none. */
  readonly deadline: number;
  /** Aborts when the caller cancels it. Undefined: it never waits. */
  readonly signal: AbortSignal | undefined;
  /** @throws Error that ends the call as one that was not admitted */
  readonly begin: (hasWaited: boolean) => void;
}

/** Timers may be that early. */
const TIMER_MS = 2;

/** Begins a call as soon as it is admitted, or ends it. */
export function startCall(call: ChannelCall, starting: StartingCall): void {
  const { deadline, signal, begin } = starting;
  const reject = (error: unknown): void => end(starting, rejectionOf(installed, error));
  try {
    const waiting = call.admit(deadline - Date.now(), signal);
    if (!waiting) begin(false);
    else
      waiting
        .then(() => {
          // What its deadline has ended would not be answered.
          if (Date.now() < deadline - TIMER_MS) begin(true);
          else reject(call.expired());
        })
        .catch(reject);
  } catch (error) {
    // Not before the caller has its call.
    process.nextTick(reject, error);
  }
}

function end({ next, listener }: StartingCall, status: StatusObject): void {
  next.cancelWithStatus(status.code, status.details);
  listener.onReceiveStatus(status);
}
