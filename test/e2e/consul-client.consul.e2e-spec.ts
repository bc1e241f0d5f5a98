import { once, setMaxListeners } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulClient, nextIndex } from '@rookery/consul';
import { ConsulAgent, eventually, startCluster, startTwoDatacenters } from '@rookery/test-support';

describe('ConsulClient on a real Consul', () => {
  let consul: ConsulAgent;
  let client: ConsulClient;
  beforeAll(async () => {
    consul = await ConsulAgent.start();
    client = ConsulClient.create({ url: consul.url }, {});
  });
  afterAll(async () => {
    await client.close();
    await consul.stop();
  });

  it('reads the agent, and registers, finds and deregisters a service', async () => {
    expect((await client.agent.self()).body.Config.NodeName).toBe(consul.node);
    await client.agent.register({ ID: 'web/1 ü', Name: 'web', Port: 80, Meta: { a: 'b' } });
    expect((await client.agent.services()).body['web/1 ü']).toMatchObject({ Service: 'web', Port: 80 });
    const { body, index, knownLeader, lastContactMs, filteredByAcls } = await client.health.service('web');
    expect(body.map(({ Service }) => Service.ID)).toEqual(['web/1 ü']);
    expect({ knownLeader, lastContact: lastContactMs, filteredByAcls }).toEqual({
      knownLeader: true,
      lastContact: 0,
      filteredByAcls: false,
    });
    expect(Number(index)).toBeGreaterThan(0);
    await client.agent.deregister('web/1 ü');
    await client.agent.deregister('web/1 ü'); // not there: no error
    expect((await client.health.service('web')).body).toEqual([]);
  });

  it('blocks until something changes', async () => {
    const { index } = await client.health.service('blocked');
    const waiting = client.health.service('blocked', {
      index: nextIndex(undefined, index) ?? '1',
      wait: '30s',
    });
    await client.agent.register({ Name: 'blocked' });
    expect((await waiting).body).toHaveLength(1);
    const own = await client.agent.service('blocked');
    const changed = client.agent.service('blocked', { hash: own?.contentHash ?? '', wait: '30s' });
    await client.agent.register({ Name: 'blocked', Port: 81 });
    expect((await changed)?.body.Port).toBe(81);
    const gone = client.agent.service('blocked', { hash: (await changed)?.contentHash ?? '', wait: '30s' });
    await client.agent.deregister('blocked');
    expect(await gone).toBeUndefined();
  });

  it('updates TTL checks, and reports a missing one', async () => {
    await client.agent.register({ Name: 'ttl', Checks: [{ CheckID: 'ttl:beat', TTL: '30s' }] });
    const status = async () => (await client.agent.checks.list()).body['ttl:beat']?.Status;
    expect(await status()).toBe('critical');
    await client.agent.checks.pass('ttl:beat', 'all is well');
    expect(await status()).toBe('passing');
    await client.agent.checks.warn('ttl:beat');
    expect(await status()).toBe('warning');
    await client.agent.checks.fail('ttl:beat');
    expect(await status()).toBe('critical');
    await client.agent.checks.update('ttl:beat', 'passing', 'x'.repeat(10_000));
    expect(await status()).toBe('passing');
    await client.agent.deregister('ttl');
    await expect(client.agent.checks.pass('ttl:beat')).rejects.toMatchObject({ code: 'RK_NOT_FOUND' });
  });

  it('puts a service into maintenance and back', async () => {
    await client.agent.register({ Name: 'worked-on' });
    await client.agent.maintenance('worked-on', true, 'new disk');
    const checks = async () => (await client.health.service('worked-on')).body[0]?.Checks;
    expect(await checks()).toContainEqual(
      expect.objectContaining({ CheckID: '_service_maintenance:worked-on', Notes: 'new disk' }),
    );
    await client.agent.maintenance('worked-on', false);
    expect(await checks()).toHaveLength(1);
    await expect(client.agent.maintenance('absent', true)).rejects.toMatchObject({ code: 'RK_NOT_FOUND' });
  });

  it('reads and filters lists of the catalog and of health', async () => {
    await client.agent.register({ ID: 'f1', Name: 'f', Tags: ['a', 'b'], Meta: { tier: 'gold' } });
    await client.agent.register({ ID: 'f2', Name: 'f', Tags: ['a'], Meta: { tier: 'tin' } });
    const ids = (list: { Service: { ID: string } }[]): string[] => list.map(({ Service }) => Service.ID);
    expect(ids((await client.health.service('f', { tags: ['a', 'b'] })).body)).toEqual(['f1']);
    expect(ids((await client.health.service('f', { filter: 'Service.Meta.tier == "tin"' })).body)).toEqual([
      'f2',
    ]);
    expect((await client.catalog.service('f', { tags: ['b'] })).body[0]).toMatchObject({ ServiceID: 'f1' });
    expect((await client.catalog.services()).body.f?.sort()).toEqual(['a', 'b']);
    expect((await client.catalog.nodes()).body[0]?.Node).toBe(consul.node);
    expect((await client.catalog.datacenters()).body).toEqual(['dc1']);
    expect((await client.health.node(consul.node)).body[0]?.CheckID).toBe('serfHealth');
    expect((await client.health.state('passing')).body.length).toBeGreaterThan(0);
    expect((await client.health.service('f', { consistency: 'cached' })).cache).toBeDefined();
    for (const consistency of ['stale', 'consistent'] as const) {
      expect((await client.health.service('f', { consistency })).body).toHaveLength(2);
    }
    await client.catalog.deregister({ Node: consul.node, ServiceID: 'f2' });
    expect(ids((await client.health.service('f')).body)).toEqual(['f1']);
    await expect(client.health.service('f', { filter: 'no such thing' })).rejects.toMatchObject({
      code: 'RK_REGISTRY_BAD_REQUEST',
      retryable: false,
    });
  });

  it('stores keys and values of any bytes', async () => {
    const bytes = Buffer.from([0, 255, 10, 13]);
    expect((await client.kv.get('kv/none')).body).toBeUndefined();
    expect((await client.kv.get('kv/none')).index).toBeDefined();
    expect(await client.kv.put('kv/ä b', bytes, { flags: 42 })).toBe(true);
    const entry = (await client.kv.get('kv/ä b')).body;
    expect(entry).toMatchObject({ key: 'kv/ä b', value: bytes, flags: 42, session: undefined });
    expect(await client.kv.put('kv/ä b', 'new', { cas: 1 })).toBe(false);
    expect(await client.kv.put('kv/ä b', '', { cas: entry?.modifyIndex ?? 0 })).toBe(true);
    expect((await client.kv.get('kv/ä b')).body?.value).toHaveLength(0);
    await client.kv.put('kv/x/y', '1');
    expect((await client.kv.keys('kv/')).body).toEqual(['kv/x/y', 'kv/ä b']);
    expect((await client.kv.keys('kv/', { separator: '/' })).body).toEqual(['kv/x/', 'kv/ä b']);
    expect((await client.kv.list('kv/')).body.map(({ key }) => key)).toEqual(['kv/x/y', 'kv/ä b']);
    expect((await client.kv.list('none/')).body).toEqual([]);
    expect((await client.kv.keys('none/')).body).toEqual([]);
    expect(await client.kv.delete('kv/x/y', { cas: 1 })).toBe(false);
    await client.kv.deleteTree('kv/');
    expect((await client.kv.list('kv/')).body).toEqual([]);
    await expect(client.kv.put('a//b', 'x')).rejects.toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
    await expect(client.kv.put('big', 'x'.repeat(524_289))).rejects.toThrow(
      /524289 bytes\. Consul takes at most 524288/,
    );
  });

  it('commits all or nothing', async () => {
    const set = (Key: string) => ({
      KV: { Verb: 'set' as const, Key, Value: Buffer.from('v').toString('base64') },
    });
    const good = await client.txn.commit([set('t/1'), set('t/2')]);
    expect(good).toMatchObject({
      committed: true,
      results: [{ KV: { Key: 't/1' } }, { KV: { Key: 't/2' } }],
    });
    const stale = { KV: { Verb: 'cas' as const, Key: 't/1', Value: '', Index: 1 } };
    const bad = await client.txn.commit([set('t/3'), stale]);
    expect(bad).toMatchObject({
      committed: false,
      errors: [{ OpIndex: 1, What: expect.stringContaining('stale') as unknown as string }],
    });
    expect((await client.kv.get('t/3')).body).toBeUndefined();
    await expect(client.txn.commit(Array.from({ length: 65 }, () => set('t/4')))).rejects.toMatchObject({
      code: 'RK_INVALID_ARGUMENT',
    });
  });

  it('holds locks with sessions', async () => {
    const session = await client.session.create({ Name: 'lock', TTL: '10s', LockDelay: '0s' });
    expect(await client.kv.put('lock', 'me', { acquire: session })).toBe(true);
    expect((await client.kv.get('lock')).body?.session).toBe(session);
    expect((await client.session.renew(session))?.ID).toBe(session);
    expect((await client.session.info(session)).body?.Name).toBe('lock');
    expect((await client.session.list()).body.map(({ ID }) => ID)).toContain(session);
    expect(await client.kv.put('lock', '', { release: session })).toBe(true);
    await client.session.destroy(session);
    expect((await client.session.info(session)).body).toBeUndefined();
    await expect(client.session.renew(session)).rejects.toMatchObject({ code: 'RK_NOT_FOUND' });
    await expect(client.kv.put('lock', '', { acquire: session })).rejects.toMatchObject({
      code: 'RK_NOT_FOUND',
    });
  });

  it('knows the leader, and runs prepared queries', async () => {
    expect(await client.status.leader()).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await client.status.peers()).toHaveLength(1);
    await client.agent.register({ Name: 'asked' });
    await consul.request('POST', '/v1/query', {
      Name: 'q',
      Service: { Service: 'asked', OnlyPassing: true },
    });
    expect((await client.query.execute('q')).body).toMatchObject({
      Service: 'asked',
      Datacenter: 'dc1',
      Failovers: 0,
    });
    await expect(client.query.execute('no-such-query')).rejects.toMatchObject({ code: 'RK_NOT_FOUND' });
  });

  it('ends with its signal, and at its deadline when the agent is frozen', async () => {
    const aborting = new AbortController();
    const { index } = await client.catalog.services();
    const waiting = client.catalog.services({ index: index ?? '1', wait: '60s', signal: aborting.signal });
    aborting.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    consul.pause();
    try {
      await expect(client.agent.self({ timeout: '200ms' })).rejects.toMatchObject({
        code: 'RK_REGISTRY_TIMEOUT',
        retryable: true,
      });
    } finally {
      consul.resume();
    }
    await expect(client.catalog.services({ index: '1', wait: 0 })).rejects.toMatchObject({
      code: 'RK_INVALID_ARGUMENT',
    });
    await expect(client.agent.deregister('..')).rejects.toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
  });

  it('never lets watches delay a heartbeat', async () => {
    const { index } = await client.catalog.services();
    const aborting = new AbortController();
    setMaxListeners(0, aborting.signal);
    const watches = Array.from({ length: 150 }, () =>
      client.catalog
        .services({ index: index ?? '1', wait: '5s', signal: aborting.signal })
        .catch(() => undefined),
    );
    await client.agent.register({ Name: 'busy', Checks: [{ CheckID: 'busy:beat', TTL: '30s' }] });
    const beat = client.agent.checks.pass('busy:beat', undefined, { timeout: '2s' });
    await expect(beat).resolves.toBeUndefined();
    aborting.abort();
    await Promise.all(watches);
  });

  it('is unreachable, retryable and with a hint, when nothing listens', async () => {
    const absent = ConsulClient.create({ url: 'http://127.0.0.1:1' }, {});
    await expect(absent.status.leader()).rejects.toMatchObject({
      code: 'RK_REGISTRY_UNREACHABLE',
      retryable: true,
      message: expect.stringMatching(
        /GET http:\/\/127\.0\.0\.1:1\/v1\/status\/leader: .*ECONNREFUSED/,
      ) as unknown as string,
      hint: expect.stringContaining('CONSUL_HTTP_ADDR') as unknown as string,
    });
    await absent.close();
    await expect(absent.status.leader()).rejects.toThrow(/client is closed/);
  });

  it('rejects a response that is not from Consul', async () => {
    const server: Server = createServer((_, response) => response.end('<html>')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const stranger = ConsulClient.create(
      { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
      {},
    );
    for (const call of [
      stranger.agent.self(),
      stranger.kv.keys('a'),
      stranger.kv.get('a'),
      stranger.txn.commit([]),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'RK_REGISTRY_BAD_RESPONSE' });
    }
    await stranger.close();
    server.close();
  });

  it('reads another datacenter by name', async () => {
    const datacenters = await startTwoDatacenters();
    const { dc1, dc2 } = datacenters;
    const here = ConsulClient.create({ url: dc1.url }, {});
    await dc2.request('PUT', '/v1/agent/service/register', { Name: 'far' });
    const far = await eventually(async () => {
      const { body } = await here.health.service('far', { datacenter: 'dc2' });
      return body.length === 1 ? body : undefined;
    });
    expect(far[0]?.Node.Datacenter).toBe('dc2');
    await expect(here.health.service('far', { datacenter: 'dc3' })).rejects.toMatchObject({
      message: expect.stringContaining('No path to datacenter') as unknown as string,
    });
    await here.close();
    await datacenters.stop();
  });

  it('distinguishes a cluster without a leader from an unreachable agent', async () => {
    const cluster = await startCluster({ servers: 3, clients: 1 });
    const [agent] = cluster.clients;
    const there = ConsulClient.create({ url: agent?.url ?? '', timeout: '20s' }, {});
    await there.agent.register({ Name: 'still-there' });
    await eventually(async () => (await there.health.service('still-there')).body.length === 1);
    for (const server of cluster.servers) {
      // The surviving server must have the registration.
      await eventually(async () => {
        const { body } = await server.request('GET', '/v1/health/service/still-there?stale');
        return (body as unknown[]).length === 1;
      });
    }
    const leader = await cluster.leader();
    const follower = cluster.servers.find((server) => server !== leader);
    await Promise.all([leader.kill(), follower?.kill()]);
    const error: unknown = await eventually(() =>
      there.kv.put('x', 'y').then(
        () => undefined,
        (thrown: unknown) => (String(thrown).includes('No cluster leader') ? thrown : undefined),
      ),
    );
    expect(error).toMatchObject({ code: 'RK_REGISTRY_NO_LEADER', retryable: true });
    const stale = await eventually(async () => there.health.service('still-there', { consistency: 'stale' }));
    expect(stale).toMatchObject({ knownLeader: false });
    expect(stale.body).toHaveLength(1);
    await there.close();
    await cluster.stop();
  });
});
