import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { ConformanceCase } from '../conformance-case.js';

const LOOKED_AT_LEAST_ONCE_MS = 1_400;

/** Targets of checks: an HTTP server that answers the status in its path, and gRPC servers of either health. */
async function withServers<T>(
  use: (http: number, serving: number, notServing: number) => Promise<T>,
): Promise<T> {
  const http = createHttp((request, response) => {
    const status = Number(request.url?.slice(1));
    response.statusCode = status;
    if (status === 302) response.setHeader('location', '/200');
    response.end(`${request.method ?? ''} ${request.headers['x-probe']?.toString() ?? ''}`);
  }).listen(0, '127.0.0.1');
  const grpc = [1, 2].map((state) => {
    const server = createHttp2();
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, state]));
    });
    server.on('sessionError', () => undefined);
    return server.listen(0, '127.0.0.1');
  });
  for (const server of [http, ...grpc]) if (!server.listening) await once(server, 'listening');
  const [web = 0, serving = 0, notServing = 0] = [http, ...grpc].map(
    (server) => (server.address() as AddressInfo).port,
  );
  try {
    return await use(web, serving, notServing);
  } finally {
    http.close();
    http.closeAllConnections();
    for (const server of grpc) server.close();
  }
}

const probe = (
  name: string,
  check: (http: number, serving: number, notServing: number) => object,
): ConformanceCase => ({
  area: 'probes',
  name,
  observe: (api) =>
    withServers(async (...ports) => {
      await api.raw('PUT', '/v1/agent/service/register', {
        Name: 'probed',
        Check: { CheckID: 'probe', Interval: '1s', ...check(...ports) },
      });
      await new Promise((resolve) => setTimeout(resolve, LOOKED_AT_LEAST_ONCE_MS));
      const checks = (await api.raw('GET', '/v1/agent/checks')).json as Record<
        string,
        { Status: string; Type: string; Output: string }
      >;
      const found = checks.probe;
      const withoutPorts = ports.reduce(
        (text, port) => text.replaceAll(String(port), '<port>'),
        found?.Output ?? '',
      );
      return [found?.Status, found?.Type, withoutPorts];
    }),
});

/** The checks that an agent runs itself. */
export const probeCases: readonly ConformanceCase[] = [
  ...[200, 204, 302, 404, 429, 500, 503].map((status) =>
    probe(`HTTP ${status}`, (http) => ({ HTTP: `http://127.0.0.1:${http}/${status}` })),
  ),
  probe('HTTP with a method and a header', (http) => ({
    HTTP: `http://127.0.0.1:${http}/200`,
    Method: 'POST',
    Header: { 'X-Probe': ['p'] },
  })),
  probe('HTTP with a short limit of the output', (http) => ({
    HTTP: `http://127.0.0.1:${http}/200`,
    OutputMaxSize: 2,
  })),
  probe('HTTP refused', () => ({ HTTP: 'http://127.0.0.1:1/x' })),
  probe('HTTP to no URL', () => ({ HTTP: '::::' })),
  probe('TCP', (http) => ({ TCP: `127.0.0.1:${http}` })),
  probe('TCP refused', () => ({ TCP: '127.0.0.1:1' })),
  probe('TCP without a port', () => ({ TCP: '127.0.0.1' })),
  probe('gRPC serving', (_, serving) => ({ GRPC: `127.0.0.1:${serving}` })),
  probe('gRPC not serving', (_, __, notServing) => ({ GRPC: `127.0.0.1:${notServing}` })),
  probe('gRPC refused', () => ({ GRPC: '127.0.0.1:1' })),
  {
    area: 'probes',
    name: 'a session that is not renewed expires at twice its TTL, not before',
    observe: async (api) => {
      const { ID } = (await api.raw('PUT', '/v1/session/create', { TTL: '10s' })).json as { ID: string };
      const count = async (): Promise<number> =>
        ((await api.raw('GET', `/v1/session/info/${ID}`)).json as unknown[]).length;
      await new Promise((resolve) => setTimeout(resolve, 17_000));
      const before = await count();
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      return [before, await count()];
    },
  },
];
