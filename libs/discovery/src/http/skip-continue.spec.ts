import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { skipContinue } from './skip-continue.js';

const CONTINUE = 'HTTP/1.1 100 Continue\r\nX-Load: 1\r\n\r\n';
const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('the 100 Continue of a server', () => {
  /** What is read of what the server sends in these pieces, after a request. */
  const readOf = (pieces: readonly string[]): string => {
    const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    skipContinue(socket as Socket);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    let read = '';
    for (const piece of pieces) {
      socket.push(piece);
      for (let chunk = socket.read() as Buffer | null; chunk; chunk = socket.read() as Buffer | null)
        read += chunk.toString();
    }
    return read;
  };

  it('is skipped, once or often, wherever its pieces end', () => {
    expect(readOf([RESPONSE])).toBe(RESPONSE);
    const whole = CONTINUE + CONTINUE + RESPONSE;
    for (let size = 1; size <= whole.length; size++) {
      const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, n) =>
        whole.slice(n * size, (n + 1) * size),
      );
      expect({ size, read: readOf(pieces) }).toEqual({ size, read: RESPONSE });
    }
  });

  it('is looked for between a request and its response only', () => {
    expect(readOf([RESPONSE, CONTINUE])).toBe(RESPONSE + CONTINUE);
  });

  it('is not waited for without an end', () => {
    const endless = ['HTTP/1.1 100 Continue\r\nX: ', 'x'.repeat(10_000), 'x'.repeat(10_000), 'x'];
    expect(readOf(endless)).toBe(endless.join(''));
  });
});
