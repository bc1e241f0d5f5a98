import { requestCases, type ConformanceCase, type Request } from '../conformance-case.js';
import { ConsulApi } from '../consul-api.js';

const ACCESSOR = 'bbbbbbbb-0000-4000-8000-000000000001';
const SECRET = 'cccccccc-0000-4000-8000-000000000001';
const OTHER = 'dddddddd-0000-4000-8000-000000000001';
const ANONYMOUS = '00000000-0000-0000-0000-000000000002';
const MANAGEMENT = '00000000-0000-0000-0000-000000000001';
const READ_KEYS = 'key_prefix "" { policy = "read" }';

/** As HashiCorp's Go client writes them: with the fields that only a server sets. */
const GO_POLICY = {
  ID: '',
  Name: 'of-go',
  Description: 'd',
  Rules: READ_KEYS,
  Datacenters: null,
  Hash: null,
  CreateIndex: 0,
  ModifyIndex: 0,
};
const GO_TOKEN = {
  CreateIndex: 0,
  ModifyIndex: 0,
  AccessorID: ACCESSOR,
  SecretID: SECRET,
  Description: 'of go',
  Policies: [{ ID: '', Name: 'readers' }],
  Roles: null,
  ServiceIdentities: null,
  NodeIdentities: null,
  Local: false,
  ExpirationTTL: '0s',
  CreateTime: '0001-01-01T00:00:00Z',
  Hash: null,
};

const POLICY_REQUESTS: readonly Request[] = [
  ['GET', '/v1/acl/policies'],
  ['POST', '/v1/acl/policies'],
  ['GET', `/v1/acl/policy/${MANAGEMENT}`],
  ['GET', '/v1/acl/policy/'],
  ['GET', '/v1/acl/policy'],
  ['GET', `/v1/acl/policy/${OTHER}`],
  ['GET', '/v1/acl/policy/short'],
  ['GET', '/v1/acl/policy/name/global-management'],
  ['GET', '/v1/acl/policy/name/readers'],
  ['GET', '/v1/acl/policy/name/none'],
  ['GET', '/v1/acl/policy/name/'],
  ['PUT', '/v1/acl/policy', GO_POLICY],
  ['PUT', '/v1/acl/policy', { ...GO_POLICY, ID: OTHER }],
  ['PUT', '/v1/acl/policy', { Name: 'readers' }],
  ['PUT', '/v1/acl/policy', { Name: '' }],
  ['PUT', '/v1/acl/policy', {}],
  ['PUT', '/v1/acl/policy', { Name: 'a b' }],
  ['PUT', '/v1/acl/policy', { Name: 'x', Nonsense: 1 }],
  ['PUT', '/v1/acl/policy', { Name: 5 }],
  ['PUT', '/v1/acl/policy', 'no JSON'],
  ['PUT', '/v1/acl/policy', ''],
  ['PUT', '/v1/acl/policy', { Name: 'there', Datacenters: ['dc1', 'dc2'] }],
  ['PUT', '/v1/acl/policy/', { Name: 'also-new' }],
  ['PUT', `/v1/acl/policy/${OTHER}`, { Name: 'none' }],
  ['PUT', `/v1/acl/policy/${OTHER}`, { ID: ACCESSOR, Name: 'none' }],
  ['PUT', '/v1/acl/policy/short', { Name: 'none' }],
  ['PUT', `/v1/acl/policy/${MANAGEMENT}`, { Name: 'global-management', Rules: 'acl = "read"' }],
  ['DELETE', `/v1/acl/policy/${MANAGEMENT}`],
  ['DELETE', `/v1/acl/policy/${OTHER}`],
  ['DELETE', '/v1/acl/policy/'],
  ['DELETE', '/v1/acl/policy/short'],
  ['POST', `/v1/acl/policy/${OTHER}`],
];

const TOKEN_REQUESTS: readonly Request[] = [
  ['GET', '/v1/acl/tokens'],
  ['GET', '/v1/acl/tokens?policy=none'],
  ['GET', '/v1/acl/tokens?role=none'],
  ['GET', '/v1/acl/tokens?authmethod=none'],
  ['GET', `/v1/acl/token/${ANONYMOUS}`],
  ['GET', `/v1/acl/token/${ACCESSOR}`],
  ['GET', `/v1/acl/token/${OTHER}`],
  ['GET', '/v1/acl/token/self'],
  ['GET', '/v1/acl/token/'],
  ['GET', '/v1/acl/token/short'],
  ['GET', '/v1/acl/token'],
  ['PUT', '/v1/acl/token', { ...GO_TOKEN, AccessorID: OTHER, SecretID: OTHER }],
  ['PUT', '/v1/acl/token', GO_TOKEN],
  ['PUT', '/v1/acl/token', { AccessorID: OTHER, SecretID: SECRET }],
  ['PUT', '/v1/acl/token', { AccessorID: 'short' }],
  ['PUT', '/v1/acl/token', { SecretID: 'short' }],
  ['PUT', '/v1/acl/token', {}],
  ['PUT', '/v1/acl/token', ''],
  ['PUT', '/v1/acl/token', { Nonsense: 1 }],
  ['PUT', '/v1/acl/token', { Type: 'client' }],
  ['PUT', '/v1/acl/token', { Rules: READ_KEYS }],
  ['PUT', '/v1/acl/token', { AuthMethod: 'x' }],
  ['PUT', '/v1/acl/token', { Policies: [{ Name: 'none' }] }],
  ['PUT', '/v1/acl/token', { Policies: [{ ID: OTHER }] }],
  ['PUT', '/v1/acl/token', { Policies: [{ ID: 'short' }] }],
  ['PUT', '/v1/acl/token', { Policies: [{}] }],
  ['PUT', '/v1/acl/token', { Policies: [{ Name: 'readers' }, { Name: 'readers' }] }],
  ['PUT', '/v1/acl/token', { Policies: 'readers' }],
  ['PUT', '/v1/acl/token', { ServiceIdentities: [{ ServiceName: 'web' }] }],
  ['PUT', '/v1/acl/token', { ServiceIdentities: [{ ServiceName: 'web', Datacenters: ['dc1'] }] }],
  [
    'PUT',
    '/v1/acl/token',
    { Local: true, ServiceIdentities: [{ ServiceName: 'web', Datacenters: ['dc1'] }] },
  ],
  ['PUT', '/v1/acl/token', { ServiceIdentities: [{ ServiceName: 'We b' }] }],
  ['PUT', '/v1/acl/token', { ServiceIdentities: [{}] }],
  ['PUT', '/v1/acl/token', { Local: true }],
  ['PUT', '/v1/acl/token', { ExpirationTTL: '1h' }],
  ['PUT', '/v1/acl/token', { ExpirationTTL: '1s' }],
  ['PUT', '/v1/acl/token', { ExpirationTTL: '48h' }],
  ['PUT', '/v1/acl/token', { ExpirationTTL: 'x' }],
  ['PUT', '/v1/acl/token', { ExpirationTime: '2020-01-01T00:00:00Z' }],
  ['PUT', `/v1/acl/token/${ACCESSOR}`, { Description: 'changed' }],
  ['PUT', `/v1/acl/token/${ACCESSOR}`, { AccessorID: ACCESSOR, SecretID: SECRET, Description: 'changed' }],
  ['PUT', `/v1/acl/token/${ACCESSOR}`, { SecretID: OTHER }],
  ['PUT', `/v1/acl/token/${ACCESSOR}`, { AccessorID: OTHER }],
  ['PUT', `/v1/acl/token/${ACCESSOR}`, { Local: true }],
  ['PUT', `/v1/acl/token/${ACCESSOR}/other`, {}],
  ['PUT', `/v1/acl/token/${OTHER}`, { Description: 'none' }],
  ['PUT', '/v1/acl/token/', { Description: 'also new' }],
  ['PUT', `/v1/acl/token/${ACCESSOR}/clone`, { Description: 'cloned' }],
  ['PUT', `/v1/acl/token/${ACCESSOR}/clone`, {}],
  ['PUT', `/v1/acl/token/${ACCESSOR}/clone`],
  ['PUT', `/v1/acl/token/${OTHER}/clone`, {}],
  ['PUT', `/v1/acl/token/${ANONYMOUS}`, { AccessorID: ANONYMOUS, Policies: [{ Name: 'readers' }] }],
  ['DELETE', `/v1/acl/token/${ANONYMOUS}`],
  ['DELETE', `/v1/acl/token/${ACCESSOR}`],
  ['DELETE', `/v1/acl/token/${OTHER}`],
  ['DELETE', '/v1/acl/token/short'],
  ['DELETE', '/v1/acl/token/'],
  ['PUT', '/v1/acl/bootstrap'],
];

const PREPARED: readonly Request[] = [
  ['PUT', '/v1/kv/app/a', '1'],
  ['PUT', '/v1/acl/policy', { Name: 'readers', Rules: READ_KEYS }],
  ['PUT', '/v1/acl/token', GO_TOKEN],
];

/** Rules that Consul takes, or refuses, each with what it says. */
const RULES: readonly string[] = [
  ...['agent', 'key', 'node', 'service', 'session', 'event', 'query'].flatMap((kind) => [
    `${kind} "a" { policy = "fly" }`,
    `${kind}_prefix "a" { policy = "fly" }`,
    `${kind} "a" { policy = "list" }`,
    `${kind} "a" { policy = "deny" }`,
    `${kind} "a" { }`,
  ]),
  ...['acl', 'keyring', 'operator'].flatMap((kind) => [
    `${kind} = "fly"`,
    `${kind} = "list"`,
    `${kind} = ""`,
  ]),
  'service "a" { policy = "write" intentions = "read" }',
  'service "a" { policy = "write" intentions = "fly" }',
  'service_prefix "a" { policy = "read" intentions = "list" }',
  'operator = "fly"\nkey "b" { policy = "fly" }\nacl = "fly"',
  'keyring = "fly"\nkey "b" { policy = "fly" }',
  'query "b" { policy = "fly" }\nkey "b" { policy = "fly" }',
  'nonsense "a" { policy = "read" }',
  'key { policy = "read" }',
  'key "a" "b" { policy = "read" }',
  'key = "read"',
  'key = { "a" = { policy = "read" } }',
  'acl { policy = "read" }',
  'acl = 5',
  'acl = -1',
  'acl = true',
  'key "a" { policy = 5 }',
  'key "a" { policy = true }',
  'key "a" { policy = ["read"] }',
  'key "z" { policy = "read" }\nkey "a" { policy = ["read"] }',
  'key "a" { policy = "read", }',
  'key "a" { policy = "read" \n other = "x" }',
  'key "a" = { policy = "read" }',
  'key "a" { policy: "read" }',
  'key "a" { policy = read }',
  'key "a { policy = "read" }',
  'key "a" policy = "read" }',
  'key "a" { policy = ',
  'key "a" { policy = "read" ',
  'key "a" { policy = "read"\n\n',
  'key "a" { policy = "read" } }',
  '}',
  '"',
  '/* comment',
  '= "x"',
  'acl = ',
  'acl',
  'just words',
  'acl = <<E\nread\nE\n',
  '// c\n/* d */ acl = "read" # e',
  'acl = "read"\nacl = "write"',
  'acl = "read" key "a" { policy = "read" }',
  'acl = "read"; operator = "read"',
  'acl = {',
  'acl = [1,',
  'acl = ["a" "b"]',
  "acl = 'read'",
  'acl "x" = "read"',
  'ACL = "fly"',
  'Key "a" { Policy = "fly" }',
  'key "a\\"b" { policy = "fly" }',
  'key "a" { policy = "read" }\nkey "a" { policy = "fly" }',
  '@',
  'acl = @',
  '[]',
  '{',
  '{}',
  '{"key":"read"}',
  '{"key":[{"a":{"policy":"read"}}]}',
  '{"key":{"a":{"policy":"fly"}}}',
  '{"acl":"fly"}',
  '{"acl":true}',
  '{"nonsense":1}',
  '{"key":{"a":{"policy":"read"}}} x',
  '{"key":{"a":{"policy":"read"}},',
];

/** What a token with these rules may do: the same in HCL and in JSON, and without a name. */
const GRANTS: Readonly<Record<string, string>> = {
  'rules in JSON':
    '{"key_prefix":{"app/":{"policy":"read"}},"service":{"web":{"policy":"write"}},"acl":"read"}',
  'rules in JSON, in a list': '{"key_prefix":[{"app/":{"policy":"read"}}]}',
  'a denial of one key': 'key_prefix "" { policy = "write" }\nkey "app/a" { policy = "deny" }',
  'comments and many lines': '# first\nkey_prefix "app/" {\n  policy = "write" // last\n}\n',
  'a key without a name': 'key { policy = "write" }',
  'two rules for one key': 'key "app/a" { policy = "deny" }\nkey "app/a" { policy = "write" }',
  'the right to read ACLs': 'acl = "read"',
  'the right to write ACLs': 'acl = "write"',
  'list of keys': 'key_prefix "app/" { policy = "list" }',
};
const GRANT_REQUESTS: readonly Request[] = [
  ['GET', '/v1/kv/app/a'],
  ['GET', '/v1/kv/app/?keys'],
  ['PUT', '/v1/kv/app/a', '2'],
  ['PUT', '/v1/agent/service/register', { Name: 'web' }],
  ['GET', '/v1/acl/policies'],
  ['PUT', '/v1/acl/policy', { Name: 'mine' }],
  ['GET', `/v1/acl/token/${ANONYMOUS}`],
  ['PUT', '/v1/acl/token', 'no JSON'],
];

async function tokenWith(api: ConsulApi, body: object): Promise<ConsulApi> {
  const { json } = await api.raw('PUT', '/v1/acl/token', body);
  return new ConsulApi(api.url, (json as { SecretID: string }).SecretID);
}

async function prepare(api: ConsulApi): Promise<void> {
  for (const [method, path, body] of PREPARED) await api.raw(method, path, body);
}

/** Requests that need no rights, or other ones than a manager's. */
const aclCase = (name: string, observe: (api: ConsulApi) => Promise<unknown>): ConformanceCase => ({
  area: 'acl records',
  name,
  observe: async (api) => {
    await prepare(api);
    return observe(api);
  },
});

/** Policies and tokens themselves; these need agents with ACLs on, and their management token. */
export const aclRecordCases: readonly ConformanceCase[] = [
  ...requestCases('acl records', PREPARED, [...POLICY_REQUESTS, ...TOKEN_REQUESTS]),
  ...requestCases(
    'acl rules',
    [],
    RULES.map((Rules) => ['PUT', '/v1/acl/policy', { Name: 'made', Rules }] as const),
  ),
  ...Object.entries(GRANTS).flatMap(([name, Rules]) =>
    GRANT_REQUESTS.map(([method, path, body]) =>
      aclCase(`${name}: ${method} ${path}`, async (api) => {
        await api.raw('PUT', '/v1/acl/policy', { Name: 'granted', Rules });
        return (await tokenWith(api, { Policies: [{ Name: 'granted' }] })).ask(method, path, body);
      }),
    ),
  ),
  ...[...POLICY_REQUESTS, ...TOKEN_REQUESTS].map(([method, path, body]) =>
    aclCase(`no token: ${method} ${path} ${body === undefined ? '' : JSON.stringify(body)}`, (api) =>
      new ConsulApi(api.url).ask(method, path, body),
    ),
  ),
  ...['GET /v1/kv/app/a', 'PUT /v1/kv/app/a', 'GET /v1/acl/token/self'].map((request) =>
    aclCase(`the anonymous token has a policy: ${request}`, async (api) => {
      await api.raw('PUT', `/v1/acl/token/${ANONYMOUS}`, { Policies: [{ Name: 'readers' }] });
      const [method = '', path = ''] = request.split(' ');
      return new ConsulApi(api.url).ask(method, path, method === 'PUT' ? '2' : undefined);
    }),
  ),
  ...['web', 'web-sidecar-proxy', 'other'].map((Name) =>
    aclCase(`a service identity of web registers ${Name}, and reads`, async (api) => {
      const token = await tokenWith(api, { ServiceIdentities: [{ ServiceName: 'web' }] });
      return [
        await token.ask('PUT', '/v1/agent/service/register', { Name }),
        await token.ask('GET', '/v1/catalog/services'),
        await token.ask('GET', '/v1/catalog/nodes'),
        await token.ask('GET', '/v1/kv/app/a'),
      ];
    }),
  ),
  ...['service', 'service_prefix'].map((kind) =>
    aclCase(`the right to write a service is also needed for its sidecar: ${kind} "web"`, async (api) => {
      await api.raw('PUT', '/v1/acl/policy', { Name: 'web', Rules: `${kind} "web" { policy = "write" }` });
      const token = await tokenWith(api, { Policies: [{ Name: 'web' }] });
      const body = { Name: 'web', Connect: { SidecarService: {} } };
      return [
        await token.ask('PUT', '/v1/agent/service/register', body),
        await api.ask('GET', '/v1/agent/services'),
      ];
    }),
  ),
  ...['dc1', 'dc2'].map((datacenter) =>
    aclCase(`a policy and an identity of ${datacenter} only`, async (api) => {
      await api.raw('PUT', '/v1/acl/policy', { Name: 'far', Rules: READ_KEYS, Datacenters: [datacenter] });
      const token = await tokenWith(api, {
        Policies: [{ Name: 'far' }],
        ServiceIdentities: [{ ServiceName: 'web', Datacenters: [datacenter] }],
      });
      return [
        await token.ask('GET', '/v1/kv/app/a'),
        await token.ask('PUT', '/v1/agent/service/register', { Name: 'web' }),
      ];
    }),
  ),
  aclCase('a policy is changed, renamed and deleted: what lists and its tokens show', async (api) => {
    const { json } = await api.raw('GET', '/v1/acl/policy/name/readers');
    const { ID } = json as { ID: string };
    const token = new ConsulApi(api.url, SECRET);
    return [
      await api.ask('PUT', `/v1/acl/policy/${ID}`, { ID, Name: 'global-management' }),
      await api.ask('PUT', `/v1/acl/policy/${ID}`, { Name: 'renamed', Rules: READ_KEYS, Description: 'new' }),
      await api.ask('GET', `/v1/acl/token/${ACCESSOR}`),
      await api.ask('GET', '/v1/acl/policies'),
      await token.ask('GET', '/v1/kv/app/a'),
      await api.ask('PUT', `/v1/acl/policy/${ID}`, { Name: 'renamed', Rules: 'key "a" {' }),
      await token.ask('GET', '/v1/kv/app/a'),
      await api.ask('DELETE', `/v1/acl/policy/${ID}`),
      await api.ask('GET', `/v1/acl/token/${ACCESSOR}`),
      await api.ask('GET', '/v1/acl/tokens'),
      await token.ask('GET', '/v1/kv/app/a'),
    ];
  }),
  aclCase('a token is deleted, with its own secret and with another', async (api) => {
    await api.raw('PUT', '/v1/acl/policy', { Name: 'managers', Rules: 'acl = "write"' });
    await api.raw('PUT', '/v1/acl/token', {
      AccessorID: OTHER,
      SecretID: OTHER,
      Policies: [{ Name: 'managers' }],
    });
    const manager = new ConsulApi(api.url, OTHER);
    return [
      await manager.ask('DELETE', `/v1/acl/token/${OTHER}`),
      await manager.ask('DELETE', `/v1/acl/token/${ACCESSOR}`),
      await manager.ask('GET', `/v1/acl/token/${ACCESSOR}`),
      await new ConsulApi(api.url, SECRET).ask('GET', '/v1/kv/app/a'),
      await new ConsulApi(api.url, SECRET).ask('GET', '/v1/acl/token/self'),
    ];
  }),
  aclCase('a read of the policies blocks until one is written', async (api) => {
    const index = await api.index('/v1/acl/policies');
    const blocked = api.ask('GET', `/v1/acl/policies?index=${index}&wait=10s`);
    await api.raw('PUT', '/v1/acl/policy', { Name: 'another' });
    return blocked;
  }),
];
