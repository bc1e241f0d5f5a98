import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { resolveAgent, type AgentOptions } from '../agent-options.js';
import { ConsulClient } from '../consul-client.js';
import type { HttpPool } from '../consul-transport.js';

interface Answer {
  readonly statusCode?: number;
  readonly headers?: Record<string, string>;
  /** As JSON, unless it is a string. */
  readonly body?: unknown;
}
type Request = Parameters<HttpPool['request']>[0];

describe('the endpoints of the HTTP API', () => {
  let asked: Request[];
  let answers: Answer[];
  let client: ConsulClient;

  const open = (options: AgentOptions = {}): ConsulClient => {
    const { agent } = resolveAgent({ url: 'http://127.0.0.1:8500', ...options }, {});
    if (!agent) throw new Error('its options are wrong');
    const openPool = (): HttpPool => ({
      request: async (request) => {
        asked.push(request);
        const answer = answers.shift() ?? {};
        const { statusCode = 200, headers = {}, body = '' } = answer;
        // It is looked for behind further connections, in case several agents share an address.
        if (statusCode === 404 && request.path.startsWith('/v1/agent/')) answers.push(answer);
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        const pieces = async function* (): AsyncGenerator<Buffer> {
          yield Buffer.from(text);
        };
        return { statusCode, headers, body: pieces() };
      },
      destroy: async () => undefined,
    });
    return (client = new ConsulClient(agent, undefined, { openPool }));
  };
  beforeEach(() => {
    asked = [];
    answers = [];
    open();
  });
  afterEach(() => client.close());

  const sent = (): unknown[] => {
    const all = asked.map(({ method, path, body }) => [
      `${method} ${path}`,
      ...(body === null ? [] : [String(body)]),
    ]);
    asked = [];
    return all.flat();
  };
  const tokens = (): (string | undefined)[] => asked.map(({ headers }) => headers['x-consul-token']);

  it('of the agent', async () => {
    const service = { ID: 'a/1', Service: 'a' };
    answers = [
      { body: { Member: {} } },
      { body: { 'a/1': service } },
      { body: service, headers: { 'x-consul-contenthash': 'abc' } },
      { statusCode: 404, body: 'unknown service ID: "a/1"' },
    ];
    const { agent } = client;
    expect((await agent.self()).body).toEqual({ Member: {} });
    expect((await agent.services({ filter: 'Port == 1' })).body).toEqual({ 'a/1': service });
    expect(await agent.service('a/1', { hash: 'xyz', wait: '5s' })).toMatchObject({
      ...{ body: service, contentHash: 'abc' },
    });
    expect(await agent.service('a/1')).toBeUndefined();
    expect([...new Set(sent())]).toEqual([
      'GET /v1/agent/self',
      'GET /v1/agent/services?filter=Port+%3D%3D+1',
      'GET /v1/agent/service/a%2F1?hash=xyz&wait=5000ms',
      'GET /v1/agent/service/a%2F1',
    ]);
    answers = [{ statusCode: 500, body: 'boom' }];
    await expect(agent.service('a')).rejects.toMatchObject({ code: 'RK_REGISTRY_ERROR' });
    await expect(agent.service('..')).rejects.toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
  });

  it('of the services and checks of the agent', async () => {
    const { agent } = client;
    const definition = { ID: 'a', Name: 'a', Port: 1 };
    await agent.register(definition);
    await agent.register(definition, { replaceExistingChecks: true });
    await agent.deregister('a');
    await agent.maintenance('a', true, 'a reason');
    await agent.maintenance('a', false);
    await agent.checks.pass('c', 'note');
    await agent.checks.warn('c');
    await agent.checks.fail('c', 'note');
    await agent.checks.update('c/1', 'critical', 'down');
    await agent.checks.update('c', 'passing');
    answers = [{ body: {} }];
    await agent.checks.list({ filter: 'x' });
    const body = JSON.stringify(definition);
    expect(sent()).toEqual([
      ...['PUT /v1/agent/service/register', body],
      ...['PUT /v1/agent/service/register?replace-existing-checks=true', body],
      'PUT /v1/agent/service/deregister/a',
      'PUT /v1/agent/service/maintenance/a?enable=true&reason=a+reason',
      'PUT /v1/agent/service/maintenance/a?enable=false',
      'PUT /v1/agent/check/pass/c?note=note',
      'PUT /v1/agent/check/warn/c',
      'PUT /v1/agent/check/fail/c?note=note',
      ...['PUT /v1/agent/check/update/c%2F1', '{"Status":"critical","Output":"down"}'],
      ...['PUT /v1/agent/check/update/c', '{"Status":"passing","Output":""}'],
      'GET /v1/agent/checks?filter=x',
    ]);
    answers = [{ statusCode: 404, body: 'Unknown service' }];
    await agent.deregister('gone');
    answers = [{ statusCode: 500, body: 'boom' }];
    await expect(agent.deregister('a')).rejects.toMatchObject({ code: 'RK_REGISTRY_ERROR' });
  });

  it('of the catalog and of health', async () => {
    const { catalog, health } = client;
    answers = [{ body: {} }, ...Array.from({ length: 6 }, () => ({ body: [] }))];
    await catalog.services({ datacenter: 'dc2' });
    await catalog.service('a b', { tags: ['x', 'y'], near: '_agent' });
    await catalog.nodes();
    await catalog.datacenters();
    await health.service('a', { passing: true, tags: ['x'], near: 'n' });
    await health.node('n/1', { ownRegistration: true });
    await health.state('any');
    await catalog.deregister({ Node: 'n' });
    expect(sent()).toEqual([
      'GET /v1/catalog/services?dc=dc2',
      'GET /v1/catalog/service/a%20b?near=_agent&tag=x&tag=y',
      'GET /v1/catalog/nodes',
      'GET /v1/catalog/datacenters',
      'GET /v1/health/service/a?passing=true&near=n&tag=x',
      'GET /v1/health/node/n%2F1',
      'GET /v1/health/state/any',
      ...['PUT /v1/catalog/deregister', '{"Node":"n"}'],
    ]);
    answers = [{ body: '[1]', headers: { 'x-consul-index': '7' } }];
    const { body, index } = await health.serviceBytes('a', { passing: false });
    expect([body.toString(), index]).toEqual(['[1]', '7']);
    expect(sent()).toEqual(['GET /v1/health/service/a']);
  });

  it('of sessions', async () => {
    const { session } = client;
    answers = [
      { body: { ID: 's' } },
      { body: [{ ID: 's' }] },
      {},
      { body: [{ ID: 's' }] },
      { body: null },
      { body: [] },
    ];
    expect(await session.create({ TTL: '10s' })).toBe('s');
    expect(await session.renew('s')).toEqual({ ID: 's' });
    await session.destroy('s');
    expect((await session.info('s')).body).toEqual({ ID: 's' });
    expect((await session.info('s')).body).toBeUndefined();
    expect((await session.list()).body).toEqual([]);
    expect(sent()).toEqual([
      ...['PUT /v1/session/create', '{"TTL":"10s"}'],
      'PUT /v1/session/renew/s',
      'PUT /v1/session/destroy/s',
      'GET /v1/session/info/s',
      'GET /v1/session/info/s',
      'GET /v1/session/list',
    ]);
    for (const body of [{}, { ID: '' }, { ID: 7 }]) {
      answers = [{ body }];
      await expect(session.create()).rejects.toMatchObject({
        code: 'RK_REGISTRY_BAD_RESPONSE',
        message: expect.stringContaining('the response has no ID'),
      });
    }
    expect(sent().slice(0, 2)).toEqual(['PUT /v1/session/create', '{}']);
  });

  it('of the key-value store', async () => {
    const { kv } = client;
    const entry = {
      Key: 'a',
      Value: 'eA==',
      Flags: 3,
      CreateIndex: 1,
      ModifyIndex: 2,
      LockIndex: 4,
      Session: 's',
    };
    answers = [
      { body: [entry], headers: { 'x-consul-index': '2' } },
      { statusCode: 404, headers: { 'x-consul-index': '9' } },
      { body: [{ ...entry, Value: null }] },
      { body: ['a/', 'b'] },
      { statusCode: 404 },
    ];
    expect(await kv.get('a')).toMatchObject({
      index: '2',
      body: {
        ...{ key: 'a', value: Buffer.from('x'), flags: 3, createIndex: 1, modifyIndex: 2, lockIndex: 4 },
        session: 's',
      },
    });
    expect(await kv.get('none')).toMatchObject({ body: undefined, index: '9' });
    expect((await kv.list('a')).body[0]?.value).toEqual(Buffer.alloc(0));
    expect((await kv.keys('', { separator: '/' })).body).toEqual(['a/', 'b']);
    expect((await kv.keys('x')).body).toEqual([]);
    expect(sent()).toEqual([
      'GET /v1/kv/a',
      'GET /v1/kv/none',
      'GET /v1/kv/a?recurse=',
      'GET /v1/kv/?keys=&separator=%2F',
      'GET /v1/kv/x?keys=',
    ]);
    answers = [{ body: true }, { body: false }, { body: true }, { body: true }];
    expect(await kv.put('a/b', 'text', { cas: 3, flags: 7n })).toBe(true);
    expect(await kv.put('a', Buffer.from('b'), { acquire: 's' })).toBe(false);
    expect(await kv.put('a', '', { release: 's' })).toBe(true);
    expect(await kv.delete('a', { cas: 3 })).toBe(true);
    await kv.deleteTree('a/');
    expect(sent()).toEqual([
      ...['PUT /v1/kv/a/b?cas=3&flags=7', 'text'],
      ...['PUT /v1/kv/a?acquire=s', 'b'],
      ...['PUT /v1/kv/a?release=s', ''],
      'DELETE /v1/kv/a?cas=3',
      'DELETE /v1/kv/a/?recurse=',
    ]);
    const most = 524_288;
    answers = [{ body: true }];
    expect(await kv.put('a', 'x'.repeat(most))).toBe(true);
    await expect(kv.put('a', 'x'.repeat(most + 1))).rejects.toMatchObject({
      code: 'RK_INVALID_ARGUMENT',
      hint: `Consul takes at most ${most}`,
    });
  });

  it('take nothing for an answer of Consul that is none', async () => {
    const bad = { code: 'RK_REGISTRY_BAD_RESPONSE', hint: expect.stringMatching(/Another server/) };
    const { kv, txn } = client;
    for (const body of [[{ error: 'maintenance' }], [null], [{ Key: 'a', Value: 7 }]]) {
      answers = [{ body }];
      await expect(kv.list('a')).rejects.toMatchObject(bad);
    }
    answers = [{ body: {} }, { body: 'null' }, { body: {} }, { body: { error: 'maintenance' } }];
    await expect(kv.put('a', 'b')).rejects.toMatchObject(bad);
    await expect(kv.put('a', 'b', { cas: 1 })).rejects.toMatchObject(bad);
    await expect(kv.delete('a')).rejects.toMatchObject(bad);
    await expect(txn.commit([{ KV: { Verb: 'delete', Key: 'a' } }])).rejects.toMatchObject(bad);
  });

  it('of transactions', async () => {
    const { txn } = client;
    const operation = { KV: { Verb: 'set', Key: 'a', Value: 'eA==' } } as const;
    answers = [
      { body: { Results: null, Errors: null } },
      { statusCode: 409, body: { Results: [], Errors: [{ OpIndex: 0, What: 'stale' }] } },
    ];
    expect(await txn.commit([operation, { KV: { ...operation.KV, Flags: 2n ** 60n } }])).toEqual({
      ...{ committed: true, results: [], errors: [] },
    });
    expect(sent()).toEqual([
      'PUT /v1/txn',
      '[{"KV":{"Verb":"set","Key":"a","Value":"eA=="}},{"KV":{"Verb":"set","Key":"a","Value":"eA==","Flags":1152921504606846976}}]',
    ]);
    expect(await txn.commit([operation])).toMatchObject({ committed: false, errors: [{ What: 'stale' }] });
    await expect(txn.commit(Array.from({ length: 65 }, () => operation))).rejects.toMatchObject({
      code: 'RK_INVALID_ARGUMENT',
      hint: 'A transaction of Consul has at most 64; split it',
    });
    answers = [{ body: { Results: [], Errors: null } }];
    await txn.commit(Array.from({ length: 64 }, () => operation));
  });

  it('of prepared queries and of the servers', async () => {
    answers = [{ body: { Nodes: [] } }, { body: '"10.0.0.1:8300"' }, { body: '""' }, { body: ['a'] }];
    await client.query.execute('near web', { limit: 3, near: '_agent' });
    expect(await client.status.leader()).toBe('10.0.0.1:8300');
    expect(await client.status.leader()).toBeUndefined();
    expect(await client.status.peers()).toEqual(['a']);
    expect(sent()).toEqual([
      'GET /v1/query/near%20web/execute?limit=3&near=_agent',
      'GET /v1/status/leader',
      'GET /v1/status/leader',
      'GET /v1/status/peers',
    ]);
  });

  it('of Connect', async () => {
    const { connect } = client;
    const intention = { SourceName: 'a', DestinationName: 'web' };
    answers = [
      { body: { Roots: [] } },
      { body: { CertPEM: 'x' } },
      { body: { web: [intention] } },
      { body: { web: null } },
      { body: [intention] },
      { body: { Authorized: true, Reason: 'so it is' } },
    ];
    await connect.roots({ index: '7', wait: '1s' });
    expect((await connect.leaf('web')).body).toEqual({ CertPEM: 'x' });
    expect(await connect.intentionsFor('web')).toEqual([intention]);
    expect(await connect.intentionsFor('web')).toEqual([]);
    expect((await connect.intentions()).body).toEqual([intention]);
    expect(await connect.authorize('web', 'spiffe://x')).toEqual({ Authorized: true, Reason: 'so it is' });
    expect(sent()).toEqual([
      'GET /v1/agent/connect/ca/roots?index=7&wait=1000ms',
      'GET /v1/agent/connect/ca/leaf/web',
      'GET /v1/connect/intentions/match?by=destination&name=web',
      'GET /v1/connect/intentions/match?by=destination&name=web',
      'GET /v1/connect/intentions',
      ...[
        'POST /v1/agent/connect/authorize',
        '{"Target":"web","ClientCertURI":"spiffe://x","ClientCertSerial":"0"}',
      ],
    ]);
    answers = [{ body: { other: [] } }];
    await expect(connect.intentionsFor('web')).rejects.toMatchObject({
      code: 'RK_REGISTRY_BAD_RESPONSE',
      message: expect.stringContaining('the response is not about "web"'),
    });
  });

  describe('of ACLs', () => {
    const right = { resource: 'key', access: 'write', name: 'a/' } as const;

    it('say which rights a token has; without ACLs it has all', async () => {
      answers = [
        { body: [{ Allow: true }, { Allow: 'true' }] },
        { statusCode: 401, body: 'ACL support disabled' },
        { statusCode: 500, body: 'boom' },
      ];
      expect(await client.acl.allows([right, right, right])).toEqual([true, false, false]);
      const one = '{"Resource":"key","Access":"write","Segment":"a/"}';
      expect(sent()).toEqual(['POST /v1/internal/acl/authorize', `[${one},${one},${one}]`]);
      expect(await client.acl.allows([right, right])).toEqual([true, true]);
      await expect(client.acl.allows([right])).rejects.toMatchObject({ code: 'RK_REGISTRY_ERROR' });
    });

    it('make a token by a login, without one of its own', async () => {
      await client.close();
      open({ token: 'its-own' });
      const times = { CreateTime: '2026-11-29T12:00:00Z', ExpirationTime: '2026-11-29T13:00:00Z' };
      answers = [{ body: { SecretID: 'made', ...times } }, { body: { SecretID: 'made' } }];
      const login = { method: 'kubernetes', bearerToken: 'jwt' };
      expect(await client.acl.login({ ...login, meta: { pod: 'a' } })).toEqual({
        ...{ secret: 'made', validForMs: 3_600_000 },
      });
      expect(tokens()[0] ?? '').toBe('');
      expect(await client.acl.login(login)).toEqual({ secret: 'made', validForMs: undefined });
      expect(sent()).toEqual([
        'POST /v1/acl/login',
        '{"AuthMethod":"kubernetes","BearerToken":"jwt","Meta":{"pod":"a"}}',
        'POST /v1/acl/login',
        '{"AuthMethod":"kubernetes","BearerToken":"jwt"}',
      ]);
    });

    it('say why there is no login', async () => {
      const login = { method: 'kubernetes', bearerToken: 'jwt' };
      for (const statusCode of [500, 403]) {
        answers = [{ statusCode, body: 'no such role' }];
        await expect(client.acl.login(login)).rejects.toMatchObject({
          code: 'RK_ACL_DENIED',
          message: expect.stringContaining('the auth method "kubernetes" refuses the login'),
          hint: expect.stringContaining('See agent.login'),
          retryable: true,
        });
      }
      answers = [{ statusCode: 429, body: 'slow down' }];
      const busy: unknown = await client.acl.login(login).catch((error: unknown) => error);
      expect(String(busy)).toContain('429');
      for (const body of [{}, { SecretID: '' }, { SecretID: 7 }]) {
        answers = [{ body }];
        await expect(client.acl.login(login)).rejects.toMatchObject({ code: 'RK_REGISTRY_BAD_RESPONSE' });
      }
      const past = { CreateTime: '2026-11-29T13:00:00Z', ExpirationTime: '2026-11-29T12:00:00Z' };
      answers = [{ body: { SecretID: 'made', ...past } }];
      expect((await client.acl.login(login)).validForMs).toBeUndefined();
    });

    it('know whether a token is there yet, and end it', async () => {
      answers = [{ body: {} }, { statusCode: 403, body: 'ACL not found' }, {}];
      expect([await client.acl.isKnown('made'), await client.acl.isKnown('made')]).toEqual([true, false]);
      await client.acl.logout('made');
      expect(tokens()).toEqual(['made', 'made', 'made']);
      expect(sent()).toEqual([
        'GET /v1/acl/token/self?stale=',
        'GET /v1/acl/token/self?stale=',
        'POST /v1/acl/logout',
      ]);
      answers = [
        { statusCode: 403, body: 'ACL not found' },
        { statusCode: 500, body: 'boom' },
      ];
      await client.acl.logout('gone');
      await expect(client.acl.logout('made')).rejects.toMatchObject({ code: 'RK_REGISTRY_ERROR' });
    });
  });

  it('tell when the answer is not that of Consul', async () => {
    for (const [body, reason] of [
      ['<html>', /Unexpected token|not valid JSON/],
      ['{}', /the body is not an array/],
      ['null', /the body is not an array/],
    ] as const) {
      answers = [{ body }];
      await expect(client.health.service('a')).rejects.toMatchObject({
        code: 'RK_REGISTRY_BAD_RESPONSE',
        message: expect.stringMatching(reason),
        hint: 'Another server than Consul may be listening at this address',
      });
    }
    answers = [{ body: '[]' }];
    await expect(client.agent.self()).rejects.toThrow(/the body is not an object/);
  });

  it('wait within the bounds of Consul', async () => {
    answers = Array.from({ length: 3 }, () => ({ body: [] }));
    await client.health.service('a', { index: '7' });
    await client.health.service('a', { index: '7', wait: 1 });
    await client.health.service('a', { index: '7', wait: '10m' });
    expect(sent()).toEqual([
      'GET /v1/health/service/a?index=7&wait=60000ms',
      'GET /v1/health/service/a?index=7&wait=1ms',
      'GET /v1/health/service/a?index=7&wait=600000ms',
    ]);
    for (const wait of [0, 600_001])
      await expect(client.health.service('a', { index: '7', wait })).rejects.toMatchObject({
        code: 'RK_INVALID_ARGUMENT',
        hint: 'Use 1 ms to 10 m',
      });
  });

  it('tell listeners what was asked, without names', async () => {
    const heard: unknown[] = [];
    const end = client.onRequest(({ operation, isBlocking, status }) =>
      heard.push([operation, isBlocking, status]),
    );
    answers = [
      { body: [] },
      { body: [] },
      {},
      { body: [] },
      { body: 'x', statusCode: 500 },
      { body: {} },
      { body: true },
    ];
    await client.health.service('a', { index: '7' });
    await client.catalog.nodes();
    await client.agent.checks.pass('c');
    await client.kv.list('a/b');
    await client.agent.register({ ID: 'a', Name: 'a' }).catch(() => undefined);
    await client.agent.service('a', { hash: 'x' });
    await client.kv.put('a/b/c', '');
    end();
    await client.agent.deregister('a');
    expect(heard).toEqual([
      ['GET health/service', true, 200],
      ['GET catalog/nodes', false, 200],
      ['PUT agent/check/pass', false, 200],
      ['GET kv', false, 200],
      ['PUT agent/service/register', false, 500],
      ['GET agent/service', true, 200],
      ['PUT kv', false, 200],
    ]);
  });
});
