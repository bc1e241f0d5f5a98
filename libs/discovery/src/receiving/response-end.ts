import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** By connection: what waits for the end of responses that it does not have yet. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/** It is sent on its connection, and Node tells its end. False: it is over, or waits behind another one. */
export function hasConnection(response: ServerResponse): boolean {
  return !isOver(response) && Boolean(response.socket);
}

/**
 * Tells once that a response is over: it was sent, or its client has left. Node tells neither what waits behind another response of its connection (pipelining,
 * RFC 9112, 9.3.2) when the connection breaks, nor what listens after the client has left.
 */
export function onResponseEnd(
  request: IncomingMessage,
  response: ServerResponse,
  listener: () => void,
): void {
  if (hasConnection(response)) {
    response.once('close', listener);
    return;
  }
  const { socket } = request;
  if (isOver(response) || socket.destroyed) {
    listener();
    return;
  }
  const listeners = waiting.get(socket) ?? listenersOf(socket);
  const tell = (): void => {
    if (listeners.delete(tell)) listener();
  };
  listeners.add(tell);
  response.once('close', tell);
}

/** One listener for all, as there may be many. */
function listenersOf(socket: Socket): Set<() => void> {
  const listeners = new Set<() => void>();
  waiting.set(socket, listeners);
  socket.once('close', () => {
    for (const tell of [...listeners]) tell();
  });
  return listeners;
}

/** A response of HTTP/2 has a stream in place of `closed`. */
function isOver(response: ServerResponse & { readonly stream?: { readonly destroyed: boolean } }): boolean {
  return response.closed || response.stream?.destroyed === true;
}
