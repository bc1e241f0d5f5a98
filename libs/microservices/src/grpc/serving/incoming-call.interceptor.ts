import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { CallReceiver } from '@rookery/discovery/adapter';
import { throwError, type Observable } from 'rxjs';
import { handleWithin } from '../../received-call.js';
import { installed } from '../experimental-api.js';

/** The part of a server's call of @grpc/grpc-js that is used. */
interface ServerCall {
  getDeadline(): Date | number;
  readonly cancelled?: boolean;
  on?(event: 'cancelled', listener: () => void): unknown;
}

interface Metadata {
  getMap(): Record<string, string | Buffer>;
}

/**
 * Of handlers of gRPC: calls that they make end when their caller's deadline does, and send on what came along; a call that was meant for another service is
 * refused before it is processed, as *unavailable*, so that channels send it elsewhere.
 */
@Injectable()
export class IncomingCallInterceptor implements NestInterceptor {
  readonly #receiver: CallReceiver;

  constructor(receiver: CallReceiver) {
    this.#receiver = receiver;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const [, metadata, serverCall] =
      context.getArgs<[unknown, Metadata | undefined, ServerCall | undefined]>();
    // Other transports have neither.
    if (context.getType() !== 'rpc' || !isMetadata(metadata) || !isServerCall(serverCall))
      return next.handle();
    const headers = textsOf(metadata);
    const meant = this.#receiver.misdirected(headers);
    if (meant !== undefined) {
      const message = `This is ${this.#receiver.names}, not ${meant}`;
      return throwError(() => new RpcException({ code: installed.status.UNAVAILABLE, message }));
    }
    const leftMs = Number(serverCall.getDeadline()) - Date.now();
    const deadline = leftMs === Infinity ? Infinity : this.#receiver.deadlineIn(leftMs);
    const call = this.#receiver.receive(headers, deadline);
    if (!call) return next.handle();
    if (this.#receiver.isPast(call)) {
      const message = "The caller's deadline has passed";
      return throwError(() => new RpcException({ code: installed.status.DEADLINE_EXCEEDED, message }));
    }
    serverCall.on?.('cancelled', () => call.end(false));
    return handleWithin(call, next, () => serverCall.cancelled !== true);
  }
}

function isMetadata(value: Metadata | undefined): value is Metadata {
  return typeof (value as Partial<Metadata> | undefined)?.getMap === 'function';
}

function isServerCall(value: ServerCall | undefined): value is ServerCall {
  return typeof (value as Partial<ServerCall> | undefined)?.getDeadline === 'function';
}

/** Without those that are bytes. */
function textsOf(metadata: Metadata): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata.getMap()))
    if (typeof value === 'string') texts[name] = value;
  return texts;
}
