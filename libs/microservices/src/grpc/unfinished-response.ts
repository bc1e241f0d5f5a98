import type { InterceptorOptions, Listener, NextCall, StatusObject } from '@grpc/grpc-js';
import type { TargetPicks } from '@rookery/discovery/adapter';
import { installed } from './experimental-api.js';
import { PREVIOUS_ATTEMPTS } from './service-picker.js';

/** What @grpc/grpc-js, and not a server, says of a connection that has ended under a call. */
const BROKEN = /^Connection dropped$|ECONNRESET|ETIMEDOUT|EPIPE/;

/**
 * A unary call that is made once more if its connection ends in the middle of a response. A channel retries no such
 * call (proposal A6 of gRPC: the headers commit it), and @grpc/grpc-js gives a response that has come whole one turn of the event loop to be
 * read before it ends the call. Nothing of the first response has reached the application, so that the second one is as good.
 */
export function callWithWholeResponse(
  options: InterceptorOptions,
  nextCall: NextCall,
  picks: Pick<TargetPicks, 'settings' | 'takeRetry'>,
): ReturnType<NextCall> {
  const first = nextCall(options);
  const { requestStream, responseStream } = options.method_definition;
  if (requestStream || responseStream || picks.settings.retries === 0) return first;
  let second: ReturnType<NextCall> | undefined;
  let request: unknown;
  let isCancelled = false;
  return new installed.InterceptingCall(first, {
    start: (metadata, listener, proceed) => {
      const sent = metadata.clone();
      const retry = (): boolean => {
        if (isCancelled || !picks.takeRetry()) return false;
        second = nextCall(options);
        sent.set(PREVIOUS_ATTEMPTS, '1');
        second.start(sent, listener);
        second.sendMessage(request);
        second.halfClose();
        return true;
      };
      proceed(metadata, wholeResponse(retry));
    },
    sendMessage: (message, proceed) => {
      request = message;
      proceed(message);
    },
    cancel: (proceed) => {
      isCancelled = true;
      if (second) second.cancelWithStatus(installed.status.CANCELLED, 'Cancelled on client');
      else proceed();
    },
  });
}

/** Holds a response back until its status is there: trailers may be lost as the message may. @param retry false: it may not */
function wholeResponse(retry: () => boolean): Listener {
  let hasBegun = false;
  const held: (() => void)[] = [];
  return {
    onReceiveMetadata: (metadata, proceed) => {
      hasBegun = true;
      held.push(() => proceed(metadata));
    },
    onReceiveMessage: (message: unknown, proceed) => {
      held.push(() => proceed(message));
    },
    onReceiveStatus: (status, proceed) => {
      if (hasBegun && isBroken(status) && retry()) return;
      for (const each of held) each();
      proceed(status);
    },
  };
}

function isBroken({ code, details }: StatusObject): boolean {
  return code === installed.status.UNAVAILABLE && BROKEN.test(details);
}
