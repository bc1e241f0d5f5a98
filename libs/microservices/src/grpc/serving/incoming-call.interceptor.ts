import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { CallReceiver, runInCall, type ReceivedCall } from '@rookery/discovery/adapter';
import { finished, type Readable } from 'node:stream';
import { catchError, Observable, of, throwError, type OperatorFunction } from 'rxjs';
import { handleWithin } from '../../received-call.js';
import { installed } from '../experimental-api.js';
import { textsOf, type ReadableMetadata } from './metadata-texts.js';

/** The part of a server's call of @grpc/grpc-js that is used. */
interface ServerCall {
  getDeadline(): Date | number;
  readonly cancelled?: boolean;
  on?(event: 'cancelled', listener: () => void): unknown;
}

/** What a handler that reads the stream itself is given (`@GrpcStreamCall`): with a function for the response, if there is one only. */
type ServerStream = Readable &
  Pick<ServerCall, 'getDeadline' | 'cancelled'> & { readonly metadata: ReadableMetadata };

/** Sends the only response to a stream. */
type Respond = (...response: unknown[]) => void;

interface Refusal {
  readonly code: number;
  readonly message: string;
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
    const args = context.getArgs<[unknown, unknown, ServerCall | undefined]>();
    const [first, second, third] = args;
    const stream = isServerStream(first) ? first : undefined;
    const metadata = stream ? stream.metadata : second;
    const serverCall = stream ?? third;
    // Other transports have neither.
    if (context.getType() !== 'rpc' || !isMetadata(metadata) || !isServerCall(serverCall))
      return next.handle();
    const refuse = (refusal: Refusal): Observable<unknown> =>
      stream ? refuseStream(stream, second, refusal) : throwError(() => new RpcException(refusal));
    const headers = textsOf(metadata);
    const meant = this.#receiver.misdirected(headers);
    if (meant !== undefined) {
      const message = `This is ${this.#receiver.names}, not ${meant}`;
      return refuse({ code: installed.status.UNAVAILABLE, message });
    }
    const leftMs = Number(serverCall.getDeadline()) - Date.now();
    const deadline = leftMs === Infinity ? Infinity : this.#receiver.deadlineIn(leftMs);
    const call = this.#receiver.receive(headers, deadline);
    if (!call) return next.handle();
    if (this.#receiver.isPast(call)) {
      const message = "The caller's deadline has passed";
      return refuse({ code: installed.status.DEADLINE_EXCEEDED, message });
    }
    if (stream) {
      if (typeof second === 'function') args[1] = whenAnswered(call, stream, second as Respond);
      else finished(stream, () => call.end(stream.cancelled !== true));
      // Such a handler may be over before its stream is.
      return new Observable((subscriber) =>
        runInCall(call, () =>
          next
            .handle()
            .pipe(unlessGone(() => stream.cancelled === true || this.#receiver.isPast(call)))
            .subscribe(subscriber),
        ),
      );
    }
    serverCall.on?.('cancelled', () => call.end(false));
    return handleWithin(call, next, () => serverCall.cancelled !== true);
  }
}

/** A stream that was read to its end is finished before the call is answered. */
function whenAnswered(call: ReceivedCall, stream: ServerStream, respond: Respond): Respond {
  stream.once('cancelled', () => call.end(false));
  return (...response) => {
    call.end(true);
    respond(...response);
  };
}

/**
 * Leaves out the error of a handler whose caller waits no longer: it is often the error of a call that was cancelled with it. Nest does not answer with the
 * error of such a handler: it rejects a promise of its own, which would end the process.
 */
function unlessGone(isGone: () => boolean): OperatorFunction<unknown, unknown> {
  return catchError((error: unknown) => (isGone() ? of(undefined) : throwError(() => error)));
}

/** Nest does not answer with the error of such a handler. */
function refuseStream(
  stream: ServerStream,
  respond: unknown,
  { code, message }: Refusal,
): Observable<undefined> {
  const error = Object.assign(new Error(message), { code, details: message });
  if (typeof respond === 'function') (respond as Respond)(error);
  else stream.emit('error', error);
  return of(undefined);
}

function isServerStream(value: unknown): value is ServerStream {
  return isServerCall(value as ServerCall | undefined) && isMetadata((value as ServerStream).metadata);
}

function isMetadata(value: unknown): value is ReadableMetadata {
  return typeof (value as Partial<ReadableMetadata> | undefined)?.getMap === 'function';
}

function isServerCall(value: ServerCall | undefined): value is ServerCall {
  return typeof (value as Partial<ServerCall> | undefined)?.getDeadline === 'function';
}
