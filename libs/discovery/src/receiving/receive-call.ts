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
    const { [SERVICE_HEADER]: meant, [TIMEOUT_HEADER]: timeout } = request.headers;
    if (typeof meant === 'string' && names.size > 0 && !names.has(meant)) {
      refuse(response, meant, names);
      return;
    }
    if (typeof timeout !== 'string' || !/^\d{1,10}$/.test(timeout)) {
      next();
      return;
    }
    const call = { deadline: clock.now() + Number(timeout) };
    calls.set(request, call);
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
