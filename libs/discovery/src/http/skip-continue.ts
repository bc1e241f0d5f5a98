import { maxHeaderSize } from 'node:http';
import type { Socket } from 'node:net';

const CONTINUE = 'HTTP/1.1 100';
const END = '\r\n\r\n';

/**
 * Skips the `100 Continue` that a server sends unasked (Node's own `response.writeContinue()`), as RFC 9110, 15.2 wants it: undici
 * takes it for a broken response (undici#2490). Only what comes between a request and its response is looked at.
 */
export function skipContinue(socket: Socket): void {
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  const write = socket.write.bind(socket) as (...chunk: unknown[]) => boolean;
  let isAwaited = false;
  let held: Buffer | undefined;
  socket.write = (...chunk: unknown[]) => {
    isAwaited = true;
    return write(...chunk);
  };
  socket.read = (size?: number) => {
    // That is how Node's streams ask for more: it returns nothing, and what else were read would be lost.
    if (size === 0) return read(0);
    for (;;) {
      const chunk = read(size);
      if (chunk === null || !isAwaited) return chunk;
      let rest = held ? Buffer.concat([held, chunk]) : chunk;
      held = undefined;
      while (startsWithContinue(rest)) {
        const end = rest.indexOf(END);
        if (end < 0) break;
        rest = rest.subarray(end + END.length);
      }
      // Longer headers are refused by undici, too.
      if (rest.length > 0 && (!startsWithContinue(rest) || rest.length > maxHeaderSize)) {
        isAwaited = false;
        return rest;
      }
      // The rest of it is still to come.
      if (rest.length > 0) held = rest;
    }
  };
}

/** Or may do so, once there is more of it. */
function startsWithContinue(chunk: Buffer): boolean {
  // Its last characters differ from those of nearly all responses.
  if (chunk.length >= CONTINUE.length && chunk[9] !== 0x31) return false;
  const start = chunk.toString('latin1', 0, CONTINUE.length);
  return start.length > 0 && CONTINUE.startsWith(start);
}
