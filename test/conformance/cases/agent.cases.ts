import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { requestCases, type ConformanceCase, type Request } from '../conformance-case.js';
import type { ConsulApi } from '../consul-api.js';

const NATIVE: Request = [
  'PUT',
  '/v1/agent/service/register',
  { Name: 'native', Port: 80, Connect: { Native: true } },
];
const SIDECAR: Request = [
  'PUT',
  '/v1/agent/service/register',
  {
    ID: 'web-1',
    Name: 'web',
    Port: 80,
    Tags: ['a'],
    Meta: { tier: 'gold' },
    Connect: { SidecarService: {} },
  },
];
const PROXY: Request = [
  'PUT',
  '/v1/agent/service/register',
  {
    Name: 'gate',
    Kind: 'connect-proxy',
    Port: 8000,
    Proxy: {
      DestinationServiceName: 'web',
      DestinationServiceID: 'web-9',
      LocalServiceAddress: '127.0.0.1',
      LocalServicePort: 81,
      Config: { protocol: 'http' },
    },
  },
];
const MESH_READS: readonly Request[] = [
  ['GET', '/v1/agent/services'],
  ['GET', '/v1/agent/checks'],
  ['GET', '/v1/agent/service/web-1-sidecar-proxy'],
  ['GET', '/v1/agent/service/gate'],
  ['GET', '/v1/agent/service/native'],
  ['GET', '/v1/health/service/gate'],
  ['GET', '/v1/health/service/native'],
  ['GET', '/v1/health/connect/web'],
  ['GET', '/v1/health/connect/native'],
  ['GET', '/v1/health/connect/none'],
  ['GET', '/v1/health/connect/'],
  ['GET', '/v1/health/connect/web?passing'],
  ['GET', '/v1/health/connect/web?tag=a'],
  ['GET', '/v1/catalog/connect/web'],
  ['GET', '/v1/catalog/connect/native'],
  ['GET', '/v1/catalog/connect/none'],
  ['GET', '/v1/catalog/connect/'],
  ['GET', '/v1/catalog/service/web-sidecar-proxy'],
  ['GET', '/v1/catalog/services'],
];
const MESH_WRITES: readonly Request[] = [
  ['PUT', '/v1/agent/service/register', { Name: 'x', Proxy: { DestinationServiceName: 'web' } }],
  ['PUT', '/v1/agent/service/register', { Name: 'x', Proxy: { Nonsense: 1 } }],
  ['PUT', '/v1/agent/service/register', { Name: 'x', Connect: { Nonsense: 1 } }],
  ['PUT', '/v1/agent/service/register', { Name: 'x', Connect: {} }],
  ['PUT', '/v1/agent/service/register', { Name: 'x', Connect: { SidecarService: { Port: 9000 } } }],
  ['PUT', '/v1/agent/service/register', { Name: 'x', Connect: { Native: true, SidecarService: {} } }],
  ['PUT', '/v1/agent/service/register', { Name: 'x', Connect: { sidecar_service: { tags: ['b'] } } }],
  [
    'PUT',
    '/v1/agent/service/register',
    { Name: 'x', Connect: { SidecarService: { Check: { TTL: '10s' }, Meta: { a: 'b' } } } },
  ],
  ['PUT', '/v1/agent/service/register', { Name: 'x', Kind: 'connect-proxy', Port: 1 }],
  ...[
    { ID: 'own' },
    { Name: 'other' },
    { Connect: { SidecarService: {} } },
    { Meta: { 'a b': 'c' } },
    { Check: { TTL: '1s', Status: 'fly' } },
    { Check: { HTTP: 'http://127.0.0.1:1/' } },
  ].map((SidecarService): Request => [
    'PUT',
    '/v1/agent/service/register',
    { Name: 'x', Connect: { SidecarService } },
  ]),
];

const sequence = (name: string, observe: (api: ConsulApi) => Promise<unknown>): ConformanceCase => ({
  area: 'agent',
  name,
  observe,
});

/** A real agent has them after a quarter of a minute. */
export async function untilCoordinates(api: ConsulApi): Promise<void> {
  for (let looks = 0; looks < 300; looks++) {
    const { json } = await api.raw('GET', '/v1/coordinate/nodes');
    if (Array.isArray(json) && json.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Ports are each agent's own. */
function withoutPorts(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (/^(port|wan_join_port)$/i.test(key) ? 'a port' : inner)),
  ) as unknown;
}

export const agentCases: readonly ConformanceCase[] = [
  ...requestCases('mesh', [NATIVE, SIDECAR, PROXY], MESH_READS),
  ...MESH_WRITES.map((request) =>
    sequence(`${JSON.stringify(request)}, and what is registered then`, async (api) => {
      const [method, path, body] = request;
      return [
        await api.ask(method, path, body),
        await api.ask('GET', '/v1/agent/services'),
        await api.ask('GET', '/v1/agent/checks'),
        await api.ask('GET', '/v1/catalog/service/x'),
        await api.ask('GET', '/v1/catalog/service/x-sidecar-proxy'),
        await api.ask('GET', '/v1/health/connect/x'),
      ];
    }),
  ),
  ...['nodes', 'node/conformance', 'node/none', 'node/', 'datacenters'].map((path) =>
    sequence(`GET /v1/coordinate/${path}`, async (api) => {
      await untilCoordinates(api);
      return api.ask('GET', `/v1/coordinate/${path}`);
    }),
  ),
  {
    ...sequence('a sidecar with a script, which is not run', (api) => {
      const SidecarService = { Check: { ScriptArgs: ['true'], Interval: '1s' } };
      return api.ask('PUT', '/v1/agent/service/register', { Name: 'x', Connect: { SidecarService } });
    }),
    mayDiffer: 'the real one keeps the service without its sidecar, though it refuses both',
  },
  sequence('a service is deregistered: its sidecar goes with it', async (api) => {
    const [method, path, body] = SIDECAR;
    await api.raw(method, path, body);
    const gone = await api.ask('PUT', '/v1/agent/service/deregister/web-1');
    return [gone, await api.ask('GET', '/v1/agent/services'), await api.ask('GET', '/v1/agent/checks')];
  }),
  sequence('two services with sidecars, each with a port of its own', async (api) => {
    for (const Name of ['one', 'two', 'one'])
      await api.raw('PUT', '/v1/agent/service/register', { Name, Connect: { SidecarService: {} } });
    const { json } = await api.raw('GET', '/v1/agent/services');
    return Object.values(json as Record<string, { Service: string; Port: number }>).map(
      ({ Service, Port }) => `${Service} ${Port}`,
    );
  }),
  ...requestCases(
    'agent',
    [NATIVE],
    [
      ['PUT', '/v1/agent/reload'],
      ['PUT', '/v1/agent/token/default', { Token: 'x' }],
      ['PUT', '/v1/agent/token/none', { Token: 'x' }],
      ['GET', '/v1/agent/metrics?format=prometheus'],
      ['GET', '/v1/agent/members?segment=x'],
      ['GET', '/v1/operator/autopilot/configuration'],
      ['GET', '/v1/catalog/node-services/none'],
      ['GET', '/v1/catalog/node-services/'],
      ['GET', '/v1/catalog/node-services/conformance?filter=Service==native'],
      ['PUT', '/v1/catalog/register', { Node: 'skip', SkipNodeUpdate: true }],
      ['PUT', '/v1/catalog/register', { Node: 'skip', SkipNodeUpdate: true, Service: { Service: 'a' } }],
      [
        'PUT',
        '/v1/catalog/register',
        { Node: 'skip', SkipNodeUpdate: true, Check: { Node: 'skip', Name: 'c' } },
      ],
    ],
  ),
  sequence('nodes are registered without their address, and read', async (api) => {
    await api.raw('PUT', '/v1/catalog/register', { Node: 'skip', SkipNodeUpdate: true });
    const body = { Node: 'skip', Address: '1.1.1.1', SkipNodeUpdate: true, Service: { Service: 'a' } };
    await api.raw('PUT', '/v1/catalog/register', body);
    return [
      await api.ask('GET', '/v1/catalog/node/skip'),
      await api.ask('GET', '/v1/catalog/node-services/skip'),
    ];
  }),
  ...['', '?wan=1', '?segment=_all'].map((query) =>
    sequence(`GET /v1/agent/members${query}, but for the ports`, async (api) =>
      withoutPorts(await api.ask('GET', `/v1/agent/members${query}`)),
    ),
  ),
  sequence('GET /v1/operator/raft/configuration is the leader of /v1/status', async (api) => {
    const { json } = await api.raw('GET', '/v1/operator/raft/configuration');
    const { json: leader } = await api.raw('GET', '/v1/status/leader');
    const { json: self } = await api.raw('GET', '/v1/agent/self');
    const { Servers } = json as { Servers: { Address: string }[] };
    const { Stats, DebugConfig, Config, Member } = self as Record<string, Record<string, unknown>>;
    return [
      Servers.map((server) => ({ ...server, Address: server.Address === leader })),
      (Stats?.consul as Record<string, unknown> | undefined)?.leader_addr === leader,
      new URL(api.url).port === String(DebugConfig?.HTTPPort),
      Config,
      withoutPorts(Member),
      Stats?.agent,
      Stats?.build,
    ];
  }),
  sequence('an event: its index is its id, halved and XORed', async (api) => {
    const { json } = await api.raw('PUT', '/v1/event/fire/deploy', 'x');
    const id = (json as { ID: string }).ID.replaceAll('-', '');
    const { headers } = await api.raw('GET', '/v1/event/list');
    const halves = BigInt(`0x${id.slice(0, 16)}`) ^ BigInt(`0x${id.slice(16)}`);
    return headers.get('x-consul-index') === String(halves);
  }),
  ...['127.0.0.1', '[127.0.0.1]'].map((host) =>
    sequence(`an HTTP check on http://${host}`, async (api) => {
      const server = createServer((_, response) => response.end('fine'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      try {
        await api.raw('PUT', '/v1/agent/service/register', {
          Name: 'a',
          Check: { CheckID: 'a', HTTP: `http://${host}:${port}/health`, Interval: '1s' },
        });
        for (let looks = 0; looks < 100; looks++) {
          const { json } = await api.raw('GET', '/v1/agent/checks');
          const { a } = json as Record<string, { Status: string; Output: string }>;
          if (a?.Output) return [a.Status, a.Output.replaceAll(String(port), 'PORT')];
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        return 'no output';
      } finally {
        server.close();
        server.closeAllConnections();
      }
    }),
  ),
];
