import type { IncomingMessage, ServerResponse } from 'node:http';
import { MISDIRECTED, SERVICE_HEADER, TIMEOUT_HEADER } from '../calling/call-headers.js';
import { answering, type IncomingCall } from '../calling/incoming-call.js';
import type { Clock } from '../timing/clock.js';

/** By request, since the body parser of Fastify leaves the asynchronous context that the middleware ran in. */
const calls = new WeakMap<IncomingMessage, IncomingCall>();

/** What the caller of a request told of itself. */
export function callOf(request: IncomingMessage): IncomingCall | undefined {
  return calls.get(request);
}

export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/**
 * Reads what a caller of ours sends along: how long it waits, and which service it means. When that is none of this app's
 * the request is refused before anything is done: the address was another's once, and the caller has not heard yet
 * (istio#20676).
 *
 * @param names what this app is registered as; an app without a name takes every call
 */
export function receiveCall(names: ReadonlySet<string>, clock: Clock): Middleware {
  return (request, response, next) => {
    const { [SERVICE_HEADER]: meant, ...headers } = request.headers;
    const { [TIMEOUT_HEADER]: timeout } = headers;
    if (typeof meant === 'string' && names.size > 0 && !names.has(meant)) {
      refuse(response, meant, names);
      return;
    }
    // It was for us: an app that hands its request on, headers and all, means somebody else.
    if (meant !== undefined) request.headers = headers;
    if (typeof timeout !== 'string' || !/^\d{1,10}$/.test(timeout)) {
      next();
      return;
    }
    const call: IncomingCall = { deadline: clock.now() + Number(timeout), isOver: false };
    calls.set(request, call);
    response.once('close', () => (call.isOver = true));
    answering(call, next);
  };
}

function refuse(response: ServerResponse, meant: string, names: ReadonlySet<string>): void {
  const known = [...names].join(', ');
  response.statusCode = MISDIRECTED;
  response.setHeader(SERVICE_HEADER, known);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(JSON.stringify({ statusCode: MISDIRECTED, message: `This is ${known}, not ${meant}` }));
}
