import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  ADDRESS_HEADER,
  headerText,
  MISDIRECTED,
  SERVICE_HEADER,
  TIMEOUT_HEADER,
} from '../calling/call-headers.js';
import { runInCall, type IncomingCall } from '../calling/incoming-call.js';
import type { ContextSettings } from './context-options.js';
import { ReceivedContext } from './received-context.js';
import { hostAndPort } from '../registry/service-instance.js';
import { CancelSource } from '../timing/cancel-source.js';
import type { Clock } from '../timing/clock.js';

/** By request, since Fastify's body parser leaves the async context that the middleware ran in. */
const calls = new WeakMap<IncomingMessage, IncomingCall>();

/** What the caller of a request sent along. */
export function callOf(request: IncomingMessage): IncomingCall | undefined {
  return calls.get(request);
}

export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

export interface ReceiverOptions {
  /** What this app is registered as; an app without a name accepts every call. */
  readonly names: readonly string[];
  /** Whether this app is registered at an address, `host:port`. */
  readonly isAdvertised: (address: string) => boolean;
  readonly clock: Clock;
  /** What travels on to the calls that are made for a request; undefined: nothing. */
  readonly context?: ContextSettings | undefined;
}

/**
 * Reads the headers of a caller with Rookery: how long it waits, and which service it means. A request for another service that
 * was sent to this app's own address is rejected before it is processed: the address was that service's before, and the caller's
 * list is not yet up to date (istio#20676). One that was sent to another address came through a proxy.
 */
export function receiveCall({ names, isAdvertised, clock, context }: ReceiverOptions): Middleware {
  const own = new Set(names.map(headerText));
  const known = [...own].join(', ');
  return (request, response, next) => {
    const { headers } = request;
    const { [SERVICE_HEADER]: service, [ADDRESS_HEADER]: address, [TIMEOUT_HEADER]: timeout } = headers;
    if (typeof service === 'string' && typeof address === 'string' && own.size > 0 && !own.has(service)) {
      if (address === localAddress(request) || isAdvertised(address)) {
        reject(response, service, known);
        return;
      }
    }
    // They were for this app: a proxy that forwards all headers must not send them on to another service.
    // In place: the headers of a request of HTTP/2 cannot be replaced.
    Reflect.deleteProperty(headers, SERVICE_HEADER);
    Reflect.deleteProperty(headers, ADDRESS_HEADER);
    const hasTimeout = typeof timeout === 'string' && /^\d{1,10}$/.test(timeout);
    if (!hasTimeout && !context) {
      next();
      return;
    }
    const departure = context?.cancelWithClient ? new CancelSource() : undefined;
    const call: IncomingCall = {
      deadline: hasTimeout ? clock.now() + Number(timeout) : Infinity,
      isOver: false,
      context: context && new ReceivedContext(headers, context),
      departure,
    };
    calls.set(request, call);
    response.once('close', () => {
      call.isOver = true;
      if (!response.writableEnded)
        departure?.abort(new Error('the client of the incoming request went away'));
    });
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
