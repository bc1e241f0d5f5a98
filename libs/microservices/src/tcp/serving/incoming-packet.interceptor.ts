import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { RpcException, TcpContext } from '@nestjs/microservices';
import { TIMEOUT_HEADER } from '@rookery/discovery';
import { CallReceiver, type ReceivedHeaders } from '@rookery/discovery/adapter';
import { tap, throwError, type Observable } from 'rxjs';
import { handleWithin } from '../../received-call.js';
import { MISDIRECTED } from '../packet-metadata.js';

/**
 * Of handlers on TCP, with Nest 12: calls that they make end when their caller's deadline does, and send on what came along; a message that was meant for
 * another service is refused before it is processed, so that its sender goes elsewhere.
 */
@Injectable()
export class IncomingPacketInterceptor implements NestInterceptor {
  readonly #receiver: CallReceiver;

  constructor(receiver: CallReceiver) {
    this.#receiver = receiver;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const packet = context.getArgByIndex<unknown>(1);
    if (context.getType() !== 'rpc' || !(packet instanceof TcpContext)) return next.handle();
    const headers = metadataOf(packet);
    const meant = this.#receiver.misdirected(headers);
    if (meant !== undefined) {
      const message = `This is ${this.#receiver.names}, not ${meant}`;
      return throwError(() => new RpcException({ code: MISDIRECTED, message }));
    }
    const end = this.#receiver.begin();
    const handled = this.#handle(headers, next);
    if (!end) return handled;
    return handled.pipe(
      tap({ error: () => end(true), complete: () => end(false), unsubscribe: () => end(false) }),
    );
  }

  #handle(headers: ReceivedHeaders, next: CallHandler): Observable<unknown> {
    const { [TIMEOUT_HEADER]: timeout } = headers;
    const hasTimeout = typeof timeout === 'string' && /^\d{1,10}$/.test(timeout);
    const call = this.#receiver.receive(
      headers,
      hasTimeout ? this.#receiver.deadlineIn(Number(timeout)) : Infinity,
    );
    return call ? handleWithin(call, next, () => true) : next.handle();
  }
}

/** Names in lower case. Nest 11 hands on none. */
function metadataOf(packet: Partial<Pick<TcpContext, 'getMetadata'>>): ReceivedHeaders {
  const metadata: unknown = packet.getMetadata?.();
  if (typeof metadata !== 'object' || metadata === null) return {};
  const texts = Object.entries(metadata).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(texts.map(([name, value]) => [name.toLowerCase(), value]));
}
