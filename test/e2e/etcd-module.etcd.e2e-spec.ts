import { Controller, Get, Injectable } from '@nestjs/common';
import type { HttpService } from '@nestjs/axios';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  DiscoveryEvents,
  DiscoveryService,
  EtcdClient,
  EtcdModule,
  type EtcdModuleOptions,
  HealthContributor,
  RegistrationService,
  ServiceClient,
} from '@rookery/etcd';
import { EtcdServer, eventually, thrownBy } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from './test-app.js';

const health = { isUp: true, isDegraded: false };

@Injectable()
class Database {
  @HealthContributor()
  check() {
    return { database: { status: health.isUp ? ('up' as const) : ('down' as const), message: 'no pool' } };
  }
}

@Controller('books')
class BooksController {
  @Get()
  list() {
    return ['Dune'];
  }
}

@Injectable()
class Shop {
  constructor(@ServiceClient('inventory') readonly inventory: HttpService) {}
}

describe('EtcdModule', () => {
  let server: EtcdServer;
  let etcd: EtcdClient;
  const cleanUps: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await EtcdServer.start();
    etcd = EtcdClient.create({ endpoints: server.url }, {});
  });
  afterAll(async () => {
    etcd.close();
    await server.stop();
  });
  afterEach(async () => {
    health.isUp = true;
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const PREFIX = '/rookery/services';
  const start = async (options: EtcdModuleOptions, providers: (typeof Shop | typeof Database)[] = []) => {
    const module = EtcdModule.forRoot({ endpoints: server.url, shutdown: { drainTimeout: 0 }, ...options });
    const started = await startApp(rootModule([module], { controllers: [BooksController], providers }));
    cleanUps.push(() => started.app.close());
    return started;
  };
  const startInventory = async (
    options: Partial<EtcdModuleOptions> = {},
  ): Promise<TestApp & { key: string }> => {
    const started = await start(
      { service: { name: 'inventory', tags: ['v1'], meta: { version: '1.2.0', zone: 'a' } }, ...options },
      [Database],
    );
    const found = await eventually(async () => {
      const { values } = await etcd.kv.range({ prefix: `${options.prefix ?? PREFIX}/inventory/` });
      return values.find(({ value }) => value.toString().includes(String(started.port)));
    });
    return { ...started, key: found.key };
  };
  const held = async (key: string): Promise<Record<string, unknown>> =>
    JSON.parse((await etcd.kv.get(key))?.value.toString() ?? '{}') as Record<string, unknown>;

  it('sees the last of many changes soon, though a list is not handed on for each of them', async () => {
    const { app } = await start({}, [Shop]);
    const discovery = app.get(DiscoveryService);
    const count = 80;
    const put = (n: number): Promise<bigint> => {
      const value = JSON.stringify({ address: '127.0.0.1', port: 1_000 + n });
      return etcd.kv.put(`${PREFIX}/inventory/i${n}`, value);
    };
    const seen = async (): Promise<number> => (await discovery.getInstances('inventory')).length;
    // The second one by the watch, which has begun then.
    for (const n of [0, 1]) {
      await put(n);
      await eventually(async () => (await seen()) === n + 1);
    }
    for (let n = 2; n < count; n++) await put(n);
    await eventually(async () => (await seen()) === count, { within: 10_000 });
    await etcd.kv.delete({ prefix: `${PREFIX}/inventory/` });
  });

  it('registers an app with a lease, finds it, calls it, and removes it at once when it ends', async () => {
    const { app, key, port } = await startInventory();
    const entry = await etcd.kv.get(key);
    expect(await held(key)).toMatchObject({
      port,
      secure: false,
      tags: ['v1'],
      meta: { version: '1.2.0', zone: 'a' },
      weights: { passing: 1, warning: 1 },
      zone: 'a',
      status: 'passing',
    });
    expect(await etcd.lease.timeToLive(entry?.lease ?? 0n)).toMatchObject({ grantedTtl: 15, keys: [key] });
    const shop = await start({}, [Shop]);
    const { data } = await shop.app.get(Shop).inventory.axiosRef.get<string[]>('/books');
    expect(data).toEqual(['Dune']);
    const discovery = shop.app.get(DiscoveryService);
    expect(await discovery.getInstances('inventory', { version: '^1', tags: ['v1'] })).toMatchObject([
      { service: 'inventory', port, zone: 'a', status: 'passing', weight: 1, datacenter: 'etcd' },
    ]);
    expect(await discovery.getServices()).toContain('inventory');
    await app.close();
    expect(await etcd.kv.get(key)).toBeUndefined();
    expect(await etcd.lease.timeToLive(entry?.lease ?? 0n)).toBeUndefined();
    await eventually(async () => (await discovery.getInstances('inventory')).length === 0);
  });

  it('tells its status, and what it says about it; maintenance begins and ends', async () => {
    const { key, app } = await startInventory({ leaseTtl: '5s' });
    health.isUp = false;
    await eventually(async () => (await held(key)).status === 'critical');
    expect(String((await held(key)).output)).toContain('no pool');
    const shop = await start({}, [Shop]);
    const error = await thrownBy(() => shop.app.get(DiscoveryService).choose('inventory'));
    expect(error).toMatchObject({ code: 'RK_NO_INSTANCES' });
    expect(String(error)).toMatch(/is critical: .*no pool/);
    health.isUp = true;
    await eventually(async () => (await held(key)).status === 'passing');
    expect(await held(key)).not.toHaveProperty('output');
    const registration = app.get(RegistrationService);
    await registration.setMaintenance(true, 'disk is replaced');
    expect(await held(key)).toMatchObject({ maintenance: 'disk is replaced', status: 'passing' });
    await eventually(
      async () => (await shop.app.get(DiscoveryService).getInstances('inventory')).length === 0,
    );
    await registration.setMaintenance(false);
    await eventually(
      async () => (await shop.app.get(DiscoveryService).getInstances('inventory')).length === 1,
    );
  });

  it.each([
    ['revoked', (key: string, lease: bigint) => etcd.lease.revoke(lease).then(() => key)],
    ['deleted', (key: string) => etcd.kv.delete(key)],
    ['changed', (key: string) => etcd.kv.put(key, '{"address":"10.0.0.1","port":1}')],
    ['broken', (key: string) => etcd.kv.put(key, 'no JSON')],
  ] as const)('is registered again when it was %s', async (_, harm) => {
    const { app, key, port } = await startInventory();
    const events: string[] = [];
    app.get(DiscoveryEvents).events$.subscribe(({ type }) => events.push(type));
    const before = await etcd.kv.get(key);
    await harm(key, before?.lease ?? 0n);
    const again = await eventually(async () => {
      const entry = await etcd.kv.get(key);
      return entry && entry.lease !== 0n && entry.value.toString().includes(String(port)) ? entry : undefined;
    });
    expect(again.modRevision).toBeGreaterThan(before?.modRevision ?? 0n);
    await eventually(() =>
      ['registration.lost', 'registration.restored'].every((type) => events.includes(type)),
    );
    // Its lease is kept: the key is there after it would have ended.
    expect(await etcd.lease.timeToLive(again.lease)).toMatchObject({ keys: [key] });
  });

  it('never sees the instances of a service whose name begins with its own, nor of one below it', async () => {
    for (const service of ['app', 'app2', 'app/admin'])
      await etcd.kv.put(`${PREFIX}/${service}/1`, JSON.stringify({ address: '10.0.0.1', port: 80 }));
    const { app } = await start({});
    const discovery = app.get(DiscoveryService);
    for (const service of ['app', 'app2', 'app/admin'])
      expect(await discovery.getInstances(service)).toMatchObject([{ service, id: '1' }]);
    expect(await discovery.getServices()).toEqual(expect.arrayContaining(['app', 'app2', 'app/admin']));
  });

  it('reads what go-kratos and the resolver of etcd’s own client register, and leaves out what is nothing', async () => {
    const kratos = {
      id: 'k1',
      name: 'books',
      version: 'v2',
      metadata: { zone: 'b' },
      endpoints: ['grpc://10.0.0.2:9000?isSecure=false', 'http://10.0.0.2:8000?isSecure=false'],
    };
    await etcd.kv.put('/microservices/books/k1', JSON.stringify(kratos));
    await etcd.kv.put(
      '/microservices/books/10.0.0.3:50051',
      '{"Op":0,"Addr":"10.0.0.3:50051","Metadata":null}',
    );
    await etcd.kv.put('/microservices/books/bad', '{"address":"10.0.0.4","port":70000}');
    const { app } = await start({ prefix: '/microservices' });
    const discovery = app.get(DiscoveryService);
    expect(await discovery.getInstances('books')).toMatchObject([
      { id: '10.0.0.3:50051', address: '10.0.0.3', port: 50051, secure: false },
      {
        id: 'k1',
        address: '10.0.0.2',
        port: 8000,
        secure: false,
        zone: 'b',
        meta: { version: 'v2', zone: 'b' },
      },
    ]);
    expect(JSON.stringify(await discovery.explain('books'))).toContain('its port');
  });

  it('registers where clients in Go look, and reads that back whole', async () => {
    const { key, port, app } = await startInventory({ prefix: 'go', layout: 'grpc' });
    expect(key).toMatch(/^go\/inventory\/inventory-/);
    expect(await held(key)).toMatchObject({ Op: 0, Addr: expect.stringMatching(new RegExp(`:${port}$`)) });
    expect(await app.get(DiscoveryService).getInstances('inventory')).toMatchObject([
      { port, tags: ['v1'], zone: 'a' },
    ]);
  });

  it('starts without etcd, says so, and registers when it is there', async () => {
    const late = await EtcdServer.start();
    cleanUps.push(() => late.stop());
    await late.kill();
    const { app, logger } = await start({ endpoints: late.url, service: { name: 'patient' } });
    await eventually(() => logger.lines.some((line) => line.includes('See endpoints, or ETCDCTL_ENDPOINTS')));
    expect(app.get(RegistrationService).status.state).not.toBe('registered');
    await late.relaunch();
    await eventually(() => app.get(RegistrationService).status.state === 'registered');
  });

  it('names each wrong option at once', async () => {
    const wrong = {
      endpoints: 'redis://u:geheim@host',
      prefix: '/a/',
      layout: 'json',
      leaseTtl: '1s',
      auth: { username: 'app', pasword: 'geheim' },
    } as unknown as EtcdModuleOptions;
    const error = String(await thrownBy(() => startApp(rootModule([EtcdModule.forRoot(wrong)]))));
    for (const field of ['endpoints', 'prefix', 'layout', 'leaseTtl', 'auth.password', 'auth.pasword'])
      expect(error).toContain(field);
    expect(error).not.toContain('geheim');
    const withCheck = { service: { name: 'a', check: { type: 'http', interval: '10s' } } } as const;
    expect(String(await thrownBy(() => startApp(rootModule([EtcdModule.forRoot(withCheck)]))))).toMatch(
      /service\.check\.type = "http": etcd runs no checks/,
    );
  });
});
