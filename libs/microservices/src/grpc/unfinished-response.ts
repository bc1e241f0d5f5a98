import type { InterceptingListener, Metadata, StatusObject } from '@grpc/grpc-js';
import { installed } from './experimental-api.js';

/** What @grpc/grpc-js says of a connection that has ended under a call, and all that it says: a server may tell of another connection. */
const BROKEN = /^(?:Connection dropped|(?:read|write) (?:ECONNRESET|ETIMEDOUT))$/;

export interface RepeatableCall {
  /** @returns false: it is not made once more */
  repeat(listener: InterceptingListener): boolean;
}

/**
 * The response of a unary call that is made once more if its connection ends in the middle of it. A channel retries no such
 * call (proposal A6 of gRPC: the headers commit it), and @grpc/grpc-js gives a response that has come whole one turn of the event loop to be
 * read before it ends the call. All is held back until the status is there, since trailers may be lost as the message may: nothing
 * of the first response has reached the application, so that the second one is as good.
 */
export class UnfinishedResponse implements InterceptingListener {
  readonly #listener: InterceptingListener;
  readonly #call: RepeatableCall;
  #headers: Metadata | undefined;
  #message: unknown;
  #hasMessage = false;
  #isFlushed = false;

  constructor(listener: InterceptingListener, call: RepeatableCall) {
    this.#listener = listener;
    this.#call = call;
  }

  onReceiveMetadata(headers: Metadata): void {
    this.#headers = headers;
  }

  onReceiveMessage(message: unknown): void {
    // There is to be one: that there are more is for the client to say.
    if (this.#hasMessage) this.#flush();
    if (this.#isFlushed) this.#listener.onReceiveMessage(message);
    this.#message = message;
    this.#hasMessage = true;
  }

  onReceiveStatus(status: StatusObject): void {
    if (this.#headers && !this.#isFlushed && isBroken(status) && this.#call.repeat(this.#listener)) return;
    this.#flush();
    this.#listener.onReceiveStatus(status);
  }

  #flush(): void {
    if (this.#isFlushed) return;
    this.#isFlushed = true;
    if (this.#headers) this.#listener.onReceiveMetadata(this.#headers);
    if (this.#hasMessage) this.#listener.onReceiveMessage(this.#message);
  }
}

function isBroken({ code, details }: StatusObject): boolean {
  return code === installed.status.UNAVAILABLE && BROKEN.test(details);
}
