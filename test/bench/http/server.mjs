// A server that answers every request with the same JSON, with as little work as possible: it must not be the bottleneck.
import { Buffer } from 'node:buffer';
import { createServer } from 'node:net';
import { BOOK } from './book.mjs';

const BODY = JSON.stringify(BOOK);
const RESPONSE = Buffer.from(
  'HTTP/1.1 200 OK\r\nX-Powered-By: Express\r\nContent-Type: application/json; charset=utf-8\r\n' +
    `Content-Length: ${BODY.length}\r\nETag: W/"5e-abc"\r\nDate: ${new Date().toUTCString()}\r\n` +
    `Connection: keep-alive\r\nKeep-Alive: timeout=60\r\n\r\n${BODY}`,
);
const REPORT =
  'endpoint-load-metrics: TEXT cpu_utilization=0.412, application_utilization=0.523, rps_fractional=118.2, eps=0, ' +
  'named_metrics.event_loop_utilization=0.523, named_metrics.queueing_delay_ms=1.234, named_metrics.in_flight=';
/** To those that ask for its load, which changes. */
const REPORTING = Array.from({ length: 8 }, (_, inFlight) =>
  Buffer.from(RESPONSE.toString().replace('\r\n\r\n', `\r\n${REPORT}${inFlight}\r\n\r\n`)),
);
const ASKS = Buffer.from('endpoint-load-metrics-format');
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const LENGTH = /content-length: *(\d+)/i;

let count = 0;
const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const head = rest.indexOf(END_OF_HEAD);
      if (head < 0) return;
      const asks = rest.subarray(0, head).includes(ASKS);
      const bodyAt = head + END_OF_HEAD.length;
      // 0x47 is G: a GET has no body.
      const length = rest[0] === 0x47 ? 0 : Number(LENGTH.exec(rest.latin1Slice(0, head))?.[1] ?? 0);
      if (rest.length < bodyAt + length) return;
      rest = rest.subarray(bodyAt + length);
      socket.write(asks ? REPORTING[count++ & 7] : RESPONSE);
    }
  });
});
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('disconnect', () => process.exit());
