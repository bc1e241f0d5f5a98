import { requestCases, type ConformanceCase } from '../conformance-case.js';

/** Every path that a real 1.8.7 answers, but for `/v1/query/`: its answer to OPTIONS is JSON of its own insides. */
const PATHS: readonly string[] = [
  ...['bootstrap', 'replication', 'policies', 'policy', 'policy/', 'policy/name/', 'roles', 'role'].map(acl),
  ...['role/', 'role/name/', 'binding-rules', 'binding-rule', 'binding-rule/', 'auth-methods'].map(acl),
  ...['auth-method', 'auth-method/', 'rules/translate', 'rules/translate/', 'tokens', 'token'].map(acl),
  ...['token/', 'token/self', 'login', 'logout', 'create', 'update', 'destroy/', 'info/', 'clone/'].map(acl),
  ...['list', 'none'].map(acl),
  ...['token/', 'self', 'host', 'maintenance', 'reload', 'monitor', 'metrics', 'services'].map(agent),
  ...['service/', 'checks', 'members', 'join/', 'leave', 'force-leave/', 'health/service/id/'].map(agent),
  ...['health/service/name/', 'check/register', 'check/deregister/', 'check/pass/', 'check/warn/'].map(agent),
  ...['check/fail/', 'check/update/', 'connect/authorize', 'connect/ca/roots', 'connect/ca/leaf/'].map(agent),
  ...['service/register', 'service/deregister/', 'service/maintenance/', 'none', 'version'].map(agent),
  ...['register', 'connect/', 'deregister', 'datacenters', 'nodes', 'services', 'service/'].map(catalog),
  ...['node/', 'node-services/', 'gateway-services/', 'none'].map(catalog),
  ...['config', 'config/', 'discovery-chain/', 'event/fire/', 'event/list', 'event/none'].map(version),
  ...['ca/configuration', 'ca/roots', 'intentions', 'intentions/match', 'intentions/check'].map(connect),
  ...['intentions/exact', 'intentions/', 'none'].map(connect),
  ...['datacenters', 'nodes', 'node/', 'update', 'none'].map((path) => version(`coordinate/${path}`)),
  ...['node/', 'checks/', 'state/', 'service/', 'connect/', 'ingress/', 'none'].map(health),
  ...['federation-states', 'federation-states/mesh-gateways', 'federation-state/'].map(internal),
  ...['ui/nodes', 'ui/node/', 'ui/services', 'ui/gateway-services-nodes/', 'acl/authorize'].map(internal),
  ...['raft/configuration', 'raft/peer', 'keyring', 'autopilot/configuration'].map(operator),
  ...['autopilot/health', 'autopilot/state', 'license', 'none'].map(operator),
  ...['kv', 'kv/', 'query', 'session/create', 'session/destroy/', 'session/renew/'].map(version),
  ...['session/info/', 'session/node/', 'session/list', 'status/leader', 'status/peers'].map(version),
  ...['snapshot', 'txn', 'namespaces', 'none', 'status', ''].map(version),
];

function version(path: string): string {
  return `/v1/${path}`;
}
function acl(path: string): string {
  return version(`acl/${path}`);
}
function agent(path: string): string {
  return version(`agent/${path}`);
}
function catalog(path: string): string {
  return version(`catalog/${path}`);
}
function connect(path: string): string {
  return version(`connect/${path}`);
}
function health(path: string): string {
  return version(`health/${path}`);
}
function internal(path: string): string {
  return version(`internal/${path}`);
}
function operator(path: string): string {
  return version(`operator/${path}`);
}

/** Methods that a path does not take; those that it takes may do something. */
const REFUSED = ['PATCH', 'HEAD'];

/** Which methods each path takes: what this agent leaves out says so with 501, and not that there is no such path. */
export const routeCases: readonly ConformanceCase[] = [
  ...requestCases(
    'routes',
    [],
    ['/', '/ui', '/none', '/v1'].map((path) => ['GET', path] as const),
  ),
  ...PATHS.map((path): ConformanceCase => ({
    area: 'routes',
    name: `${path}: the methods that it takes`,
    observe: async (api) => [
      await api.ask('OPTIONS', path),
      ...(await Promise.all(REFUSED.map((method) => api.ask(method, path)))),
    ],
  })),
  ...PATHS.filter((path) => path.startsWith('/v1/acl/')).map((path): ConformanceCase => ({
    area: 'routes',
    name: `${path}: without ACLs`,
    observe: async (api) => {
      const { headers } = await api.raw('OPTIONS', path);
      const methods = headers.get('allow')?.split(',').slice(1) ?? ['GET'];
      return Promise.all(methods.map((method) => api.ask(method, path, method === 'GET' ? undefined : {})));
    },
  })),
];
