import { describe, expect, it } from '@jest/globals';
import { FinalStatus } from './final-status.js';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';
const FAILED = 'HTTP/1.1 503 Service Unavailable\r\n';

describe('the final status of a response', () => {
  it.each([
    ['alone', FAILED, 503],
    ['after provisional ones', CONTINUE + HINTS + CONTINUE + FAILED, 503],
    ['of another protocol from now on', 'HTTP/1.1 101 Switching Protocols\r\n\r\n\x81', 101],
    ['of what is no response', 'SSH-2.0-OpenSSH_9.2\r\n', 0],
    ['not yet there', CONTINUE + HINTS.slice(0, -2), undefined],
    ['after headers without an end', `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(17_000)}`, 0],
  ])('%s', (_, response, status) => {
    expect(new FinalStatus().read(Buffer.from(response, 'latin1'))).toBe(status);
  });

  it('is found wherever the chunks of a response end', () => {
    const response = CONTINUE + HINTS + FAILED;
    const at = (CONTINUE + HINTS).length + 'HTTP/1.1 503'.length;
    for (let size = 1; size < response.length; size++) {
      const status = new FinalStatus();
      let read: number | undefined;
      let taken = 0;
      while (read === undefined && taken < response.length) {
        read = status.read(Buffer.from(response.slice(taken, taken + size)));
        taken += size;
      }
      expect({ size, read, taken: Math.min(taken, response.length) }).toEqual({
        ...{ size, read: 503 },
        taken: Math.min(Math.ceil(at / size) * size, response.length),
      });
    }
  });
});
