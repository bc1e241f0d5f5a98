import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  ADDRESS_HEADER,
  LOAD_HEADER,
  MISDIRECTED,
  SERVICE_HEADER,
  TIMEOUT_HEADER,
} from '../calling/call-headers.js';
import { runInCall, type IncomingCall } from '../calling/incoming-call.js';
import type { CallReceiver } from './call-receiver.js';
import { hostAndPort } from '../registry/service-instance.js';
import { hasConnection, onResponseEnd } from './response-end.js';

/** By request, since Fastify's body parser leaves the async context that the middleware ran in. */
const calls = new WeakMap<IncomingMessage, IncomingCall>();

/** What the caller of a request sent along. */
export function callOf(request: IncomingMessage): IncomingCall | undefined {
  return calls.get(request);
}

const OVERLOADED = 503;

/** What decides which requests are taken. */
export interface Shedding {
  readonly retryAfterSeconds: number;
  /** @returns to be called when it is answered; undefined: it is refused */
  admit(request: IncomingMessage, timeoutMs: number): (() => void) | undefined;
}

export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/**
 * Reads the headers of a caller with Rookery: how long it waits, and which service it means. A request for another service, or one too many, is rejected before it
 * is processed.
 */
export function receiveCall(receiver: CallReceiver, shedding?: Shedding): Middleware {
  const { counter } = receiver;
  // One for all requests: a listener of its own for each would cost more than all else here.
  const countEnd = function (this: ServerResponse): void {
    counter?.end(this.statusCode >= 500);
  };
  return (request, response, next) => {
    const { headers } = request;
    const service = receiver.misdirected(headers, (address) => address === localAddress(request));
    if (service !== undefined) {
      response.setHeader(SERVICE_HEADER, receiver.names);
      reject(response, MISDIRECTED, `This is ${receiver.names}, not ${service}`);
      return;
    }
    const { [TIMEOUT_HEADER]: timeout } = headers;
    // They were for this app: a proxy that forwards all headers must not send them on to another service.
    // In place: the headers of a request of HTTP/2 cannot be replaced.
    Reflect.deleteProperty(headers, SERVICE_HEADER);
    Reflect.deleteProperty(headers, ADDRESS_HEADER);
    const hasTimeout = typeof timeout === 'string' && /^\d{1,10}$/.test(timeout);
    const timeoutMs = hasTimeout ? Number(timeout) : Infinity;
    const answered = shedding?.admit(request, timeoutMs);
    if (shedding && !answered) {
      refuse(response, shedding);
      return;
    }
    const call = receiver.receive(headers, hasTimeout ? receiver.deadlineIn(timeoutMs) : Infinity);
    if (counter) {
      counter.begin();
      if (hasConnection(response)) response.on('close', countEnd);
      else onResponseEnd(request, response, () => countEnd.call(response));
    }
    if (answered || call)
      onResponseEnd(request, response, () => {
        answered?.();
        call?.end(response.writableEnded);
      });
    const header = receiver.loadHeader(headers, request.socket.remoteAddress);
    if (header) reportLoad(response, header);
    if (!call) {
      next();
      return;
    }
    calls.set(request, call);
    runInCall(call, next);
  };
}

/** As late as headers can be set: when the request comes, the load is another. Of a response without a body, Node calls it too. */
function reportLoad(response: ServerResponse, header: () => string): void {
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
  response.writeHead = (...args: unknown[]) => {
    if (!response.headersSent) response.setHeader(LOAD_HEADER, header());
    return writeHead(...args);
  };
}

/** The end of the connection on this side. Node writes an IPv4 address on a socket of IPv6 as `::ffff:127.0.0.1`. */
function localAddress({ socket }: IncomingMessage): string | undefined {
  const { localAddress: address, localPort: port } = socket;
  if (address === undefined || port === undefined) return undefined;
  return hostAndPort({ address: address.replace(/^::ffff:(?=\d+\.)/i, ''), port });
}

function reject(response: ServerResponse, statusCode: number, message: string): void {
  response.statusCode = statusCode;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(JSON.stringify({ statusCode, message }));
}

const OVERLOADED_BODY = JSON.stringify({
  statusCode: OVERLOADED,
  message: 'More requests are under way than can be answered',
});

/** At the least cost: there are many. */
function refuse(response: ServerResponse, { retryAfterSeconds }: Shedding): void {
  response.writeHead(OVERLOADED, {
    'Retry-After': retryAfterSeconds,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': OVERLOADED_BODY.length,
  });
  response.end(OVERLOADED_BODY);
}
