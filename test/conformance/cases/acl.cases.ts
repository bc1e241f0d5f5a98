import { ConsulApi } from '../consul-api.js';
import type { ConformanceCase, Request } from '../conformance-case.js';

const WRONG = '99999999-9999-4999-8999-999999999999';
const POLICIES: Readonly<Record<string, string>> = {
  'web only': 'service "web" { policy = "write" }',
  'web and nodes': 'service "web" { policy = "write" } node_prefix "" { policy = "read" }',
  'read all':
    'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" } key_prefix "" { policy = "read" }',
  'keys below app/': 'key_prefix "app/" { policy = "write" } key "app/secret" { policy = "deny" }',
  sessions: 'session_prefix "" { policy = "write" } key_prefix "" { policy = "write" }',
  agent:
    'agent_prefix "" { policy = "read" } event_prefix "" { policy = "write" } query_prefix "" { policy = "read" }',
};
const REQUESTS: readonly Request[] = [
  ['PUT', '/v1/agent/service/register', { Name: 'web' }],
  ['PUT', '/v1/agent/service/register', { Name: 'other' }],
  ['PUT', '/v1/agent/check/pass/held:ttl'],
  ['PUT', '/v1/agent/check/pass/unknown'],
  ['PUT', '/v1/agent/service/deregister/unknown'],
  ['GET', '/v1/agent/services'],
  ['GET', '/v1/agent/checks'],
  ['GET', '/v1/agent/service/held'],
  ['GET', '/v1/health/service/web'],
  ['GET', '/v1/health/service/held'],
  ['GET', '/v1/catalog/services'],
  ['GET', '/v1/catalog/service/held'],
  ['GET', '/v1/catalog/nodes'],
  ['GET', '/v1/health/state/critical'],
  ['GET', '/v1/kv/app/a'],
  ['GET', '/v1/kv/app/secret'],
  ['GET', '/v1/kv/app/?recurse'],
  ['GET', '/v1/kv/app/?keys'],
  ['GET', '/v1/kv/none?recurse'],
  ['PUT', '/v1/kv/app/new', 'v'],
  ['PUT', '/v1/kv/elsewhere', 'v'],
  ['DELETE', '/v1/kv/app/none'],
  ['PUT', '/v1/txn', [{ KV: { Verb: 'set', Key: 'app/t', Value: 'dg==' } }]],
  ['PUT', '/v1/txn', [{ KV: { Verb: 'get', Key: 'app/a' } }]],
  ['PUT', '/v1/session/create', {}],
  ['GET', '/v1/session/list'],
  ['PUT', '/v1/event/fire/x', 'p'],
  ['GET', '/v1/catalog/datacenters'],
  ['PUT', '/v1/acl/policy', { Name: 'mine' }],
  ['GET', '/v1/acl/tokens'],
  ['POST', '/v1/internal/acl/authorize', rights('service', 'web', 'read', 'write')],
  ['POST', '/v1/internal/acl/authorize', rights('node', '', 'read')],
  ['POST', '/v1/internal/acl/authorize', rights('key', 'app/', 'read', 'list', 'write')],
  ['POST', '/v1/internal/acl/authorize', rights('key', 'app/secret', 'read')],
  ['POST', '/v1/internal/acl/authorize', rights('session', 'any', 'write')],
  ['POST', '/v1/internal/acl/authorize', rights('acl', '', 'read', 'write')],
  ['POST', '/v1/internal/acl/authorize', rights('nonsense', '', 'read')],
  ['POST', '/v1/internal/acl/authorize', rights('service', '', 'fly')],
  ['POST', '/v1/internal/acl/authorize', [{ Foo: 1 }]],
  ['POST', '/v1/internal/acl/authorize', {}],
];

function rights(Resource: string, Segment: string, ...levels: readonly string[]): readonly object[] {
  return levels.map((Access) => ({ Resource, Segment, Access }));
}

async function prepare(api: ConsulApi): Promise<void> {
  await api.raw('PUT', '/v1/agent/service/register', {
    ID: 'held',
    Name: 'held',
    Check: { CheckID: 'held:ttl', TTL: '60s' },
  });
  await api.raw('PUT', '/v1/kv/app/a', '1');
  await api.raw('PUT', '/v1/kv/app/secret', '2');
}

const asToken = (label: string, token: (api: ConsulApi) => Promise<string | undefined>): ConformanceCase[] =>
  REQUESTS.map(([method, path, body]) => ({
    area: 'acl',
    name: `${label}: ${method} ${path}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`,
    observe: async (api) => {
      await prepare(api);
      const secret = await token(api);
      return new ConsulApi(api.url, secret).ask(method, path, body);
    },
  }));

let made = 0;

async function tokenFor(api: ConsulApi, rules: string): Promise<string> {
  const Name = `p${++made}-${Math.random().toString(36).slice(2)}`;
  await api.raw('PUT', '/v1/acl/policy', { Name, Rules: rules });
  return ((await api.raw('PUT', '/v1/acl/token', { Policies: [{ Name }] })).json as { SecretID: string })
    .SecretID;
}

/** These need agents with ACLs on, and their management token. */
export const aclCases: readonly ConformanceCase[] = [
  ...asToken('no token', async () => undefined),
  ...asToken('a wrong token', async () => WRONG),
  ...Object.entries(POLICIES).flatMap(([name, rules]) => asToken(name, (api) => tokenFor(api, rules))),
  {
    area: 'acl',
    name: 'a policy is changed: its tokens may read what they could not, and no more',
    observe: async (api) => {
      await prepare(api);
      const Name = `changing${++made}-${Math.random().toString(36).slice(2)}`;
      const policy = await api.raw('PUT', '/v1/acl/policy', {
        Name,
        Rules: 'key_prefix "" { policy = "read" }',
      });
      const { ID } = policy.json as { ID: string };
      const token = await api.raw('PUT', '/v1/acl/token', { Policies: [{ Name }] });
      const own = new ConsulApi(api.url, (token.json as { SecretID: string }).SecretID);
      const before = await own.raw('GET', '/v1/kv/app/?recurse');
      const changed = await api.raw('PUT', `/v1/acl/policy/${ID}`, { ID, Name, Rules: '' });
      const other = await api.raw('PUT', `/v1/acl/policy/${ID}`, { ID: WRONG, Name });
      const none = await api.raw('PUT', `/v1/acl/policy/${WRONG}`, { Name: 'none' });
      const list = await own.raw('GET', '/v1/kv/app/?recurse');
      const key = await own.raw('GET', '/v1/kv/app/a');
      return [before, changed, other, none, list, key].map(({ status }) => status);
    },
  },
];
