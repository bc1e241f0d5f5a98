import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { DispatchController } from './dispatch-controller.js';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What the user of a dispatcher gets of a response, whichever of undici's two kinds of handlers it has. */
export interface DispatchReceiver {
  start(controller: DispatchController): void;
  head(
    controller: DispatchController,
    status: number,
    headers: Headers,
    statusText: string | undefined,
  ): void;
  upgrade(controller: DispatchController, status: number, headers: Headers, socket: Duplex): void;
  data(controller: DispatchController, chunk: Buffer): void;
  end(controller: DispatchController, trailers: Headers): void;
  error(controller: DispatchController, error: Error): void;
}

/** That of undici 6, which is in Node 20 and 22. Every method of it may be missing. */
interface OlderHandler {
  onConnect?(abort: (reason?: Error) => void): void;
  onHeaders?(status: number, raw: Buffer[], resume: () => void, statusText: string): boolean | undefined;
  onUpgrade?(status: number, raw: Buffer[], socket: Duplex): void;
  onData?(chunk: Buffer): boolean | undefined;
  onComplete?(rawTrailers: Buffer[] | null): void;
  onError?(error: Error): void;
}

/** undici 7 and later have handlers with a controller; the fetch of Node 20 and 22 has the older kind. */
export function receiverOf(handler: Dispatcher.DispatchHandler): DispatchReceiver {
  return handler.onRequestStart
    ? new ControlledReceiver(handler)
    : new OlderReceiver(handler as OlderHandler);
}

class ControlledReceiver implements DispatchReceiver {
  readonly #handler: Dispatcher.DispatchHandler;

  constructor(handler: Dispatcher.DispatchHandler) {
    this.#handler = handler;
  }

  start(controller: DispatchController): void {
    this.#handler.onRequestStart?.(controller, {});
  }

  head(
    controller: DispatchController,
    status: number,
    headers: Headers,
    statusText: string | undefined,
  ): void {
    this.#handler.onResponseStart?.(controller, status, headers, statusText);
  }

  upgrade(controller: DispatchController, status: number, headers: Headers, socket: Duplex): void {
    this.#handler.onRequestUpgrade?.(controller, status, headers, socket);
  }

  data(controller: DispatchController, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  end(controller: DispatchController, trailers: Headers): void {
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  error(controller: DispatchController, error: Error): void {
    this.#handler.onResponseError?.(controller, error);
  }
}

class OlderReceiver implements DispatchReceiver {
  readonly #handler: OlderHandler;

  constructor(handler: OlderHandler) {
    this.#handler = handler;
  }

  start(controller: DispatchController): void {
    this.#handler.onConnect?.((reason) => controller.abort(reason ?? new Error('aborted')));
  }

  head(controller: DispatchController, status: number, _: Headers, statusText: string | undefined): void {
    const resume = (): void => controller.resume();
    const goesOn = this.#handler.onHeaders?.(
      status,
      controller.rawHeaders as Buffer[],
      resume,
      statusText ?? '',
    );
    if (goesOn === false) controller.pause();
  }

  upgrade(controller: DispatchController, status: number, _: Headers, socket: Duplex): void {
    this.#handler.onUpgrade?.(status, controller.rawHeaders as Buffer[], socket);
  }

  data(controller: DispatchController, chunk: Buffer): void {
    if (this.#handler.onData?.(chunk) === false) controller.pause();
  }

  end(controller: DispatchController): void {
    this.#handler.onComplete?.(controller.rawTrailers as Buffer[] | null);
  }

  error(_: DispatchController, error: Error): void {
    this.#handler.onError?.(error);
  }
}
