// An HTTP server with a behaviour that can be set, for the fault tests of callers; plain, so that it costs little.
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';

let status = 200;
let delay = Number(process.env.PEER_DELAY ?? 0);
const base = delay;
let calls = 0;
const body = JSON.stringify({ port: process.env.PORT });

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://peer');
  if (pathname === '/health/live') return response.end();
  if (pathname === '/behave') {
    status = Number(searchParams.get('status') ?? 200);
    delay = base + Number(searchParams.get('delay') ?? 0);
    return response.end(String(calls));
  }
  calls++;
  request.resume();
  const order = request.method === 'POST' && pathname.slice(1);
  if (order && process.env.PEER_ORDERS) appendFileSync(process.env.PEER_ORDERS, `${order}\n`);
  const answer = () => response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  // A failing server fails at once.
  if (delay === 0 || status !== 200) answer();
  else setTimeout(answer, delay);
});
// Longer than any client keeps a connection, and not announced.
server.keepAliveTimeout = Number(process.env.PEER_KEEP_ALIVE ?? 60_000);
server.listen(Number(process.env.PORT), '127.0.0.1');
