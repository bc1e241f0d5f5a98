import type { InterceptingListener, Listener, Metadata, NextCall, StatusObject } from '@grpc/grpc-js';
import type { CallListener } from './call-start.js';
import { installed } from './experimental-api.js';
import { PREVIOUS_ATTEMPTS } from './service-picker.js';

/** What @grpc/grpc-js, and not a server, says of a connection that has ended under a call. */
const BROKEN = /^Connection dropped$|ECONNRESET|ETIMEDOUT|EPIPE/;

/**
 * A unary call that is made once more if its connection ends in the middle of a response. A channel retries no such
 * call (proposal A6 of gRPC: the headers commit it), and @grpc/grpc-js gives a response that has come whole one turn of the event loop to be
 * read before it ends the call. Nothing of the first response has reached the application, so that the second one is as good.
 */
export class UnfinishedResponse {
  /** What was sent, to be sent again. */
  request: unknown;
  readonly #mayRetry: () => boolean;
  readonly #nextCall: () => ReturnType<NextCall>;
  #second: ReturnType<NextCall> | undefined;
  #isCancelled = false;

  /** @param mayRetry takes a retry from the budget, if there is one left */
  constructor(mayRetry: () => boolean, nextCall: () => ReturnType<NextCall>) {
    this.#mayRetry = mayRetry;
    this.#nextCall = nextCall;
  }

  /** @returns false: there is no second call, and the first is to be cancelled */
  cancel(): boolean {
    this.#isCancelled = true;
    this.#second?.cancelWithStatus(installed.status.CANCELLED, 'Cancelled on client');
    return this.#second !== undefined;
  }

  /** Holds a response back until its status is there: trailers may be lost as the message may. */
  observe(
    metadata: Metadata,
    listener: InterceptingListener,
    onReceiveStatus: CallListener['onReceiveStatus'],
  ): Listener {
    const sent = metadata.clone();
    let hasBegun = false;
    const held: (() => void)[] = [];
    return {
      onReceiveMetadata: (headers, proceed) => {
        hasBegun = true;
        held.push(() => proceed(headers));
      },
      onReceiveMessage: (message: unknown, proceed) => {
        held.push(() => proceed(message));
      },
      onReceiveStatus: (status, proceed) => {
        if (hasBegun && isBroken(status) && !this.#isCancelled && this.#mayRetry()) {
          this.#sendAgain(sent, listener, onReceiveStatus);
          return;
        }
        for (const each of held) each();
        onReceiveStatus(status, proceed);
      },
    };
  }

  #sendAgain(
    metadata: Metadata,
    listener: InterceptingListener,
    onReceiveStatus: CallListener['onReceiveStatus'],
  ): void {
    this.#second = this.#nextCall();
    metadata.set(PREVIOUS_ATTEMPTS, '1');
    this.#second.start(metadata, {
      onReceiveMetadata: (headers) => listener.onReceiveMetadata(headers),
      onReceiveMessage: (message: unknown) => listener.onReceiveMessage(message),
      onReceiveStatus: (status) => onReceiveStatus(status, (told) => listener.onReceiveStatus(told)),
    });
    this.#second.sendMessage(this.request);
    this.#second.halfClose();
  }
}

function isBroken({ code, details }: StatusObject): boolean {
  return code === installed.status.UNAVAILABLE && BROKEN.test(details);
}
