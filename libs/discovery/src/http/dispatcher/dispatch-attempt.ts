import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { ConnectionsInUse } from '../../calling/not-sent.js';
import { parsedResponseInfo, type HttpResponseInfo } from '../../calling/response-info.js';
import type { OpenAttempt, Transmission } from '../../calling/running-attempt.js';
import type { InstanceConnections } from '../http-connections.js';
import type { SentLater } from '../instance-pool.js';
import type { DispatchController } from './dispatch-controller.js';
import type { DispatchReceiver } from './dispatch-receiver.js';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

interface Receiving {
  readonly receiver: DispatchReceiver;
  readonly controller: DispatchController;
}

/** Of a response that waits for the decision whether there is a further attempt. */
const MOST_EARLY_BYTES = 65_536;

/** One attempt of a dispatched request. Its response waits until it is clear that there is no further attempt. */
export class DispatchAttempt implements SentLater, Transmission {
  /** Undefined once it has succeeded or failed. */
  #attempt: OpenAttempt<DispatchAttempt> | undefined;
  readonly #instance: InstanceConnections;
  /** Undefined until it has a connection. */
  controller: Dispatcher.DispatchController | undefined;
  #cancelled: Error | undefined;
  #status = 0;
  #headers: Headers = {};
  #statusText: string | undefined;
  #socket: Duplex | undefined;
  #receiving: Receiving | undefined;
  #isHeadDelivered = false;
  #isDelivering = false;
  /** What comes now goes on at once. */
  #isFlowing = false;
  readonly #early: Buffer[] = [];
  #earlyBytes = 0;
  #trailers: Headers | undefined;
  #error: Error | undefined;
  /** Its end, or an error, has been handed on. */
  #isOver = false;
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
    this.#receiving = receiving;
    const { controller } = this;
    if (!controller) return;
    receiving.controller.receive({
      controller,
      deliver: () => this.#deliver(receiving),
      breakOff: (reason) => this.#breakOff(receiving, reason),
    });
  }

  /** What came before it was clear that there is no further attempt, or while it was paused; then the rest, as it comes. */
  #deliver(receiving: Receiving): void {
    const { receiver, controller } = receiving;
    // A receiver may resume while something is delivered to it.
    if (this.#isDelivering || this.#isOver) return;
    this.#isDelivering = true;
    this.#hand(receiving, () => {
      if (!this.#isHeadDelivered) {
        this.#isHeadDelivered = true;
        if (this.#socket) receiver.upgrade(controller, this.#status, this.#headers, this.#socket);
        else receiver.head(controller, this.#status, this.#headers, this.#statusText);
      }
      while (this.#early.length > 0 && !controller.paused && !this.#isOver) {
        const chunk = this.#early.shift();
        if (chunk) receiver.data(controller, chunk);
      }
    });
    this.#isDelivering = false;
    if (this.#hasEnded() || this.#early.length > 0 || controller.paused) return;
    this.#isFlowing = true;
    if (this.#error) this.#breakOff(receiving, this.#error);
    else if (this.#trailers) this.#finish(receiving, this.#trailers);
    else this.controller?.resume();
  }

  /** A function, so that the compiler does not carry an earlier reading over what a receiver does. */
  #hasEnded(): boolean {
    return this.#isOver;
  }

  /** An error of a receiver ends the response, as with undici. */
  #hand(receiving: Receiving, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#breakOff(receiving, error as Error);
    }
  }

  #finish(receiving: Receiving, trailers: Headers): void {
    this.#hand(receiving, () => receiving.receiver.end(receiving.controller, trailers));
    this.#isOver = true;
    receiving.controller.release();
  }

  /** Once, and nothing after it. */
  #breakOff({ receiver, controller }: Receiving, reason: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#early.length = 0;
    controller.release();
    this.controller?.abort(reason);
    this.#end();
    receiver.error(controller, reason);
  }

  /** Another attempt is made: nothing of the response is read. */
  discard(): void {
    this.#socket?.destroy();
    this.controller?.abort(new Error('another attempt was made'));
    this.#end();
  }

  cancel(reason: Error): void {
    this.#cancelled = reason;
    this.controller?.abort(reason);
  }

  explainTimeout(): Error | undefined {
    return this.controller === undefined && this.#instance.areInUse ? new ConnectionsInUse() : undefined;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#cancelled) controller.abort(this.#cancelled);
    else this.controller = controller;
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
    this.#succeed(controller, status, headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    const receiving = this.#receiving;
    if (receiving && this.#isFlowing) {
      this.#hand(receiving, () => receiving.receiver.data(receiving.controller, chunk));
      return;
    }
    // Nearly always it is the only one, and paused for nothing it would cost more than all the rest.
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes >= MOST_EARLY_BYTES) controller.pause();
  }

  onResponseEnd(_: Dispatcher.DispatchController, trailers: Headers): void {
    this.#end();
    if (this.#isOver) return;
    if (this.#receiving && this.#isFlowing) this.#finish(this.#receiving, trailers);
    else this.#trailers = trailers;
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.failWith(error);
  }

  failWith(error: Error): void {
    this.#end();
    const attempt = this.#take();
    if (attempt) attempt.fail(error);
    else if (this.#receiving) this.#breakOff(this.#receiving, error);
    else this.#error = error;
  }

  #succeed(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    this.controller = controller;
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
