import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { ConnectionsInUse } from '../../calling/not-sent.js';
import { parsedResponseInfo, type HttpResponseInfo } from '../../calling/response-info.js';
import type { OpenAttempt, Transmission } from '../../calling/running-attempt.js';
import type { InstanceConnections } from '../http-connections.js';
import type { DispatchController } from './dispatch-controller.js';
import type { DispatchReceiver } from './dispatch-receiver.js';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

interface Receiving {
  readonly receiver: DispatchReceiver;
  readonly controller: DispatchController;
}

/** One attempt of a dispatched request. Its response waits, paused, until it is clear that there is no further attempt. */
export class DispatchAttempt implements Dispatcher.DispatchHandler, Transmission {
  /** Undefined once it has succeeded or failed. */
  #attempt: OpenAttempt<DispatchAttempt> | undefined;
  readonly #instance: InstanceConnections;
  #controller: Dispatcher.DispatchController | undefined;
  #cancelled: Error | undefined;
  #status = 0;
  #headers: Headers = {};
  #statusText: string | undefined;
  #socket: Duplex | undefined;
  #receiving: Receiving | undefined;
  #release: (() => void) | undefined;

  constructor(attempt: OpenAttempt<DispatchAttempt>, instance: InstanceConnections) {
    this.#attempt = attempt;
    this.#instance = instance;
    attempt.transmission = this;
  }

  get responseInfo(): HttpResponseInfo {
    return parsedResponseInfo(this.#status, this.#headers);
  }

  /** Hands the response on. */
  receive(receiving: Receiving): void {
    const { receiver, controller } = receiving;
    this.#receiving = receiving;
    const socket = this.#socket;
    const deliver = (): void => {
      if (socket) receiver.upgrade(controller, this.#status, this.#headers, socket);
      else receiver.head(controller, this.#status, this.#headers, this.#statusText);
    };
    if (this.#controller) controller.receive(this.#controller, deliver);
  }

  /** Another attempt is made: nothing of the response is read. */
  discard(): void {
    this.#socket?.destroy();
    this.#controller?.abort(new Error('another attempt was made'));
    this.#end();
  }

  cancel(reason: Error): void {
    this.#cancelled = reason;
    this.#controller?.abort(reason);
  }

  explainTimeout(): Error | undefined {
    return this.#controller === undefined && this.#instance.areInUse ? new ConnectionsInUse() : undefined;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#cancelled) controller.abort(this.#cancelled);
    else this.#controller = controller;
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Headers,
    socket: Duplex,
  ): void {
    this.#socket = socket;
    this.#succeed(controller, status, headers);
    socket.once('close', () => this.#end());
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Headers,
    statusText?: string,
  ): void {
    // Informational responses precede the one that counts.
    if (status < 200) return;
    this.#statusText = statusText;
    controller.pause();
    this.#succeed(controller, status, headers);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#receiving?.receiver.data(this.#receiving.controller, chunk);
  }

  onResponseEnd(_: Dispatcher.DispatchController, trailers: Headers): void {
    this.#end();
    this.#receiving?.receiver.end(this.#receiving.controller, trailers);
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#end();
    if (this.#receiving) this.#receiving.receiver.error(this.#receiving.controller, error);
    else this.#take()?.fail(error);
  }

  #succeed(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    this.#controller = controller;
    this.#status = status;
    this.#headers = headers;
    const attempt = this.#take();
    // Until its end, the response is load for the instance.
    this.#release = attempt?.hold();
    attempt?.succeed(this);
  }

  #take(): OpenAttempt<DispatchAttempt> | undefined {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    return attempt;
  }

  #end(): void {
    this.#release?.();
    this.#release = undefined;
  }
}
