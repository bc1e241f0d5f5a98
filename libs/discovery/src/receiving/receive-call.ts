import type { IncomingMessage, ServerResponse } from 'node:http';
import { MISDIRECTED, SERVICE_HEADER, TIMEOUT_HEADER } from '../calling/call-headers.js';
import { runInCall, type IncomingCall } from '../calling/incoming-call.js';
import type { Clock } from '../timing/clock.js';

/** By request, since Fastify's body parser leaves the async context that the middleware ran in. */
const calls = new WeakMap<IncomingMessage, IncomingCall>();

/** What the caller of a request sent along. */
export function callOf(request: IncomingMessage): IncomingCall | undefined {
  return calls.get(request);
}

export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/**
 * Reads the headers of a caller with Rookery: how long it waits, and which service it means. A request for another service
 * is rejected before it is processed: its address was that service's before, and the caller's list is not yet up to date
 * (istio#20676).
 *
 * @param names what this app is registered as; an app without a name accepts every call
 */
export function receiveCall(names: ReadonlySet<string>, clock: Clock): Middleware {
  return (request, response, next) => {
    const { [SERVICE_HEADER]: service, ...headers } = request.headers;
    const { [TIMEOUT_HEADER]: timeout } = headers;
    if (typeof service === 'string' && names.size > 0 && !names.has(service)) {
      reject(response, service, names);
      return;
    }
    // The header was for this app: a proxy that forwards all headers must not send it on to another service.
    if (service !== undefined) request.headers = headers;
    if (typeof timeout !== 'string' || !/^\d{1,10}$/.test(timeout)) {
      next();
      return;
    }
    const call: IncomingCall = { deadline: clock.now() + Number(timeout), isOver: false };
    calls.set(request, call);
    response.once('close', () => (call.isOver = true));
    runInCall(call, next);
  };
}

function reject(response: ServerResponse, service: string, names: ReadonlySet<string>): void {
  const known = [...names].join(', ');
  response.statusCode = MISDIRECTED;
  response.setHeader(SERVICE_HEADER, known);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(JSON.stringify({ statusCode: MISDIRECTED, message: `This is ${known}, not ${service}` }));
}
