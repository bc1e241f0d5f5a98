import { requestCases, type ConformanceCase } from '../conformance-case.js';

/** Every path that a real 1.8.7 answers, by folder, and some that it does not; without `query/`, where OPTIONS shows its own insides. */
const FOLDERS: Readonly<Record<string, string>> = {
  'acl/':
    'bootstrap replication policies policy policy/ policy/name/ roles role role/ role/name/ ' +
    'binding-rules binding-rule binding-rule/ auth-methods auth-method auth-method/ ' +
    'rules/translate rules/translate/ tokens token token/ token/self login logout create update ' +
    'destroy/ info/ clone/ list none',
  'agent/':
    'token/ self host maintenance reload monitor metrics services service/ checks members join/ ' +
    'leave force-leave/ health/service/id/ health/service/name/ check/register ' +
    'check/deregister/ check/pass/ check/warn/ check/fail/ check/update/ connect/authorize ' +
    'connect/ca/roots connect/ca/leaf/ service/register service/deregister/ ' +
    'service/maintenance/ none version',
  'catalog/':
    'register connect/ deregister datacenters nodes services service/ node/ node-services/ ' +
    'gateway-services/ none',
  '':
    'config config/ discovery-chain/ event/fire/ event/list event/none kv kv/ query ' +
    'session/create session/destroy/ session/renew/ session/info/ session/node/ session/list ' +
    'status/leader status/peers snapshot txn namespaces none status',
  'connect/':
    'ca/configuration ca/roots intentions intentions/match intentions/check intentions/exact ' +
    'intentions/ none',
  'coordinate/': 'datacenters nodes node/ update none',
  'health/': 'node/ checks/ state/ service/ connect/ ingress/ none',
  'internal/':
    'federation-states federation-states/mesh-gateways federation-state/ ui/nodes ui/node/ ' +
    'ui/services ui/gateway-services-nodes/ acl/authorize',
  'operator/':
    'raft/configuration raft/peer keyring autopilot/configuration autopilot/health ' +
    'autopilot/state license none',
};
const PATHS: readonly string[] = [
  '/v1/',
  ...Object.entries(FOLDERS).flatMap(([folder, names]) =>
    names.split(' ').map((name) => `/v1/${folder}${name}`),
  ),
];

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
