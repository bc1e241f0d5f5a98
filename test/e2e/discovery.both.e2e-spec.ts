import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  DiscoveryEvents,
  DiscoveryService,
  type ServiceQuery,
  type ServiceSnapshot,
} from '@rookery/consul';
import { startTestConsul, eventually, type TestConsul } from '@rookery/test-support';
import { FaultProxy } from '../faults/fault-proxy.js';
import { rootModule, startApp, type TestApp } from './test-app.js';

describe('DiscoveryService with Consul', () => {
  let consul: TestConsul;
  let watching: TestApp;
  let discovery: DiscoveryService;
  const register = (id: string, more: object = {}): Promise<unknown> =>
    consul.request('PUT', '/v1/agent/service/register', { ID: id, Name: 'stock', Port: 4000, ...more });
  const ids = async (query = {}): Promise<string[]> =>
    (await discovery.getInstances('stock', query)).map(({ id }) => id).sort();

  beforeAll(async () => {
    consul = await startTestConsul();
    watching = await startApp(rootModule([ConsulModule.forRoot({ agent: { url: consul.url } })]));
    discovery = watching.app.get(DiscoveryService);
  });
  afterAll(async () => {
    await watching.app.close();
    await consul.stop();
  });
  afterEach(async () => {
    for (const id of ['s1', 's2', 's3']) await consul.request('PUT', `/v1/agent/service/deregister/${id}`);
    await eventually(async () => (await ids()).length === 0);
  });

  it('follows instances as they come, change and go', async () => {
    const seen: number[][] = [];
    const subscription = discovery
      .watch('stock')
      .subscribe(({ passing, version }: ServiceSnapshot) => seen.push([version, passing.length]));
    await register('s1');
    await eventually(async () => (await ids()).length === 1);
    await register('s2', { Address: '127.1.1.1' });
    await eventually(async () => (await ids()).length === 2);
    const [first, second] = await discovery.getInstances('stock');
    expect([first?.address, second?.address]).toEqual(['127.0.0.1', '127.1.1.1']);
    await consul.request('PUT', '/v1/agent/service/maintenance/s1?enable=true');
    await eventually(async () => (await ids()).join() === 's2');
    subscription.unsubscribe();
    const versions = seen.map(([version]) => version ?? 0);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(new Set(versions).size).toBe(versions.length);
  });

  it('filters by tags, meta, filter and health', async () => {
    await register('s1', { Tags: ['a', 'b'], Meta: { tier: 'gold' } });
    await register('s2', {
      Tags: ['a'],
      Meta: { tier: 'tin' },
      Checks: [{ CheckID: 's2:t', TTL: '60s', Status: 'warning' }],
    });
    await register('s3', { Checks: [{ CheckID: 's3:t', TTL: '60s' }] }); // a TTL check starts critical
    await eventually(async () => (await ids({ includeWarning: true })).length === 2);
    expect(await ids()).toEqual(['s1']);
    expect(await ids({ includeWarning: true })).toEqual(['s1', 's2']);
    expect(await ids({ includeWarning: true, tags: ['a'] })).toEqual(['s1', 's2']);
    expect(await ids({ tags: ['b', 'a'] })).toEqual(['s1']);
    expect(await ids({ meta: { tier: 'gold' } })).toEqual(['s1']);
    expect(await ids({ meta: { tier: 'lead' } })).toEqual([]);
    expect(await ids({ includeWarning: true, filter: 'Service.Meta.tier == "tin"' })).toEqual(['s2']);
    expect((await discovery.choose('stock')).id).toBe('s1');
    await expect(discovery.choose('stock', { tags: ['none'] })).rejects.toMatchObject({
      code: 'RK_NO_INSTANCES',
    });
  });

  it('says what is wrong with an invalid query', async () => {
    await expect(discovery.getInstances('stock', { filter: 'Bogus ==' })).rejects.toMatchObject({
      code: 'RK_REGISTRY_BAD_REQUEST',
      message: expect.stringMatching(/Failed to create boolean expression/) as unknown,
    });
    await expect(discovery.getInstances('')).rejects.toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
    const typo = { tag: 'v1' } as ServiceQuery;
    await expect(discovery.getInstances('stock', typo)).rejects.toThrow(
      /query\.tag: unknown option; known here: tags, meta/,
    );
    const late = discovery.call('stock', async () => 1, { timeout: 0 });
    await expect(late).rejects.toThrow(/call\.timeout = 0: must be greater than 0/);
  });

  it('bounds the wait for a first list by the deadline and signal of the call', async () => {
    consul.pause();
    try {
      const late = discovery.call('never-asked', async () => 1, { timeout: '100ms' });
      await expect(late).rejects.toMatchObject({ code: 'RK_CALL_TIMEOUT' });
      const aborted = discovery.call('never-asked', async () => 1, { signal: AbortSignal.timeout(50) });
      await expect(aborted).rejects.toMatchObject({ name: 'TimeoutError' });
    } finally {
      consul.resume();
    }
  });

  it('lists the names of all services', async () => {
    await register('s1');
    expect(await discovery.getServices()).toEqual(['consul', 'stock']);
  });

  it('keeps its last list while Consul is unreachable, and is current when it is back with a lower index', async () => {
    for (let n = 0; n < 20; n++) await register('s1', { Port: 5000 + n }); // drives the index up
    await register('s2');
    await eventually(async () => (await ids()).length === 2);
    await consul.kill();
    await eventually(
      () =>
        watching.logger.matching(
          /^(warn|debug) cannot watch (?!.*Bogus).*keeping the last known list \(instances: \d+\)/,
        ).length > 0,
    );
    expect(await ids()).toEqual(['s1', 's2']);
    await consul.restart({ keepData: false });
    await register('s3');
    await eventually(async () => (await ids()).join() === 's3');
    await register('s1', { Port: 6000 });
    await eventually(async () => (await ids()).join() === 's1,s3');
    // Many watches failed; one line says so. (A restarted agent may also have no leader yet: another reason.)
    const outage = /^warn cannot watch .*(ECONNREFUSED|ECONNRESET|EPIPE|closed|hang up)/;
    expect(watching.logger.matching(outage)).toHaveLength(1);
    await eventually(() => watching.logger.matching(/^log .* reachable again/).length > 0, {
      within: 45_000,
    });
  });

  it('F51 leaves out instances that no call could be made to, reports each once, and keeps the others', async () => {
    const wrong = {
      path: { Address: '10.0.0.1/path', Port: 80 },
      query: { Address: 'host?x', Port: 80 },
      negative: { Port: -1 },
      zero: { Port: 0 },
      large: { Port: 70_000 },
    };
    const events: string[] = [];
    const subscription = watching.app
      .get(DiscoveryEvents)
      .events$.subscribe((event) => event.type === 'instance.invalid' && events.push(event.id));
    const put = (id: string, more: object): Promise<unknown> =>
      consul.request('PUT', '/v1/catalog/register', {
        Node: 'external',
        Address: '127.0.0.1',
        SkipNodeUpdate: true,
        Service: { ID: id, Service: 'mixed', Port: 4000, ...more },
      });
    const mixed = async (): Promise<string[]> =>
      (await discovery.getInstances('mixed')).map(({ id }) => id).sort();
    await put('good', {});
    await eventually(async () => (await mixed()).length === 1);
    for (const [id, more] of Object.entries(wrong)) await put(id, more);
    await eventually(() => events.length === Object.keys(wrong).length);
    expect(await mixed()).toEqual(['good']);
    await put('better', {});
    await eventually(async () => (await mixed()).length === 2);
    expect(events.sort()).toEqual(Object.keys(wrong).sort());
    const { lists } = await discovery.explain('mixed');
    expect(lists[0]?.invalid.find(({ id }) => id === 'large')?.reason).toBe(
      'its port is 70000, not an integer from 1 to 65535',
    );
    expect(watching.logger.matching(/^warn "mixed": the instance "path" is left out/)).toHaveLength(1);
    subscription.unsubscribe();
    for (const id of ['good', 'better', ...Object.keys(wrong)])
      await consul.request('PUT', '/v1/catalog/deregister', { Node: 'external', ServiceID: id });
  });

  it('an app that only discovers learns that the registry is unreachable, and that it is back', async () => {
    const proxy = await FaultProxy.start(consul.url);
    const module = ConsulModule.forRoot({ agent: { url: proxy.url } });
    const { app } = await startApp(rootModule([module]));
    const seen: string[] = [];
    app.get(DiscoveryEvents).events$.subscribe(({ type }) => {
      if (type.startsWith('registry.')) seen.push(type);
    });
    const other = app.get(DiscoveryService);
    for (const name of ['one', 'two', 'three']) await other.getInstances(name);
    proxy.fault = () => 'reset';
    proxy.resetAll();
    await eventually(() => seen.length === 1);
    proxy.fault = () => undefined;
    await eventually(() => seen.length === 2, { within: 20_000 });
    expect(seen).toEqual(['registry.unreachable', 'registry.reachable']);
    await app.close();
    await proxy.stop();
  });

  it('explains why there is no instance: a name that is close, or the output of a failing check', async () => {
    await register('s1', {
      Checks: [{ CheckID: 's1:t', Name: 'disk', TTL: '60s', Status: 'passing' }],
    });
    await consul.request('PUT', '/v1/agent/check/update/s1:t', {
      Status: 'critical',
      Output: 'disk is full',
    });
    await eventually(async () => {
      const { body } = await consul.request('GET', '/v1/health/checks/stock');
      return JSON.stringify(body).includes('disk is full');
    });
    const attempt = async (): Promise<string> => 'called';
    await expect(discovery.call('stok', attempt)).rejects.toThrow(
      /no usable instance of "stok". The registry lists none: .*Did you mean "stock"\?/,
    );
    await eventually(async () => (await discovery.explain('stock')).instances[0]?.state === 'critical');
    await expect(discovery.call('stock', attempt)).rejects.toThrow(
      /The registry lists 1 critical. Checks fail: s1, disk: disk is full/,
    );
  });

  it('calls over any transport', async () => {
    await register('s1', { Port: 4711 });
    await eventually(async () => (await ids()).length === 1);
    expect(await discovery.call('stock', async ({ address, port }) => `${address}:${port}`)).toBe(
      '127.0.0.1:4711',
    );
    await expect(
      discovery.call('stock', async () => Promise.reject(new Error('broken'))),
    ).rejects.toMatchObject({
      code: 'RK_CALL_FAILED',
      call: { attempts: [{ instance: 's1', reason: 'broken' }] },
    });
  });
});
