import type { IncomingMessage, ServerResponse } from 'node:http';
import { ADDRESS_HEADER, MISDIRECTED, SERVICE_HEADER, TIMEOUT_HEADER } from '../calling/call-headers.js';
import { runInCall, type IncomingCall } from '../calling/incoming-call.js';
import type { CallReceiver } from './call-receiver.js';
import { hostAndPort } from '../registry/service-instance.js';

/** By request, since Fastify's body parser leaves the async context that the middleware ran in. */
const calls = new WeakMap<IncomingMessage, IncomingCall>();

/** What the caller of a request sent along. */
export function callOf(request: IncomingMessage): IncomingCall | undefined {
  return calls.get(request);
}

export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/**
 * Reads the headers of a caller with Rookery: how long it waits, and which service it means. A request for another service is rejected before it is
 * processed.
 */
export function receiveCall(receiver: CallReceiver): Middleware {
  return (request, response, next) => {
    const { headers } = request;
    const service = receiver.misdirected(headers, (address) => address === localAddress(request));
    if (service !== undefined) {
      reject(response, service, receiver.names);
      return;
    }
    const { [TIMEOUT_HEADER]: timeout } = headers;
    // They were for this app: a proxy that forwards all headers must not send them on to another service.
    // In place: the headers of a request of HTTP/2 cannot be replaced.
    Reflect.deleteProperty(headers, SERVICE_HEADER);
    Reflect.deleteProperty(headers, ADDRESS_HEADER);
    const hasTimeout = typeof timeout === 'string' && /^\d{1,10}$/.test(timeout);
    const call = receiver.receive(headers, hasTimeout ? receiver.deadlineIn(Number(timeout)) : Infinity);
    if (!call) {
      next();
      return;
    }
    calls.set(request, call);
    response.once('close', () => call.end(response.writableEnded));
    runInCall(call, next);
  };
}

/** The end of the connection on this side. Node writes an IPv4 address on a socket of IPv6 as `::ffff:127.0.0.1`. */
function localAddress({ socket }: IncomingMessage): string | undefined {
  const { localAddress: address, localPort: port } = socket;
  if (address === undefined || port === undefined) return undefined;
  return hostAndPort({ address: address.replace(/^::ffff:(?=\d+\.)/i, ''), port });
}

function reject(response: ServerResponse, service: string, known: string): void {
  response.statusCode = MISDIRECTED;
  response.setHeader(SERVICE_HEADER, known);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(JSON.stringify({ statusCode: MISDIRECTED, message: `This is ${known}, not ${service}` }));
}
