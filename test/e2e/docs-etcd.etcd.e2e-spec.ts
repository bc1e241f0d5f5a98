import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConfigService } from '@nestjs/config';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  currentLock,
  DiscoveryService,
  EtcdClient,
  EtcdModule,
  LeaderElections,
  LockService,
  OnlyLeader,
} from '@rookery/etcd';
import { EtcdConfig, etcdConfig, type EtcdConfigOptions } from '@rookery/etcd/config';
import { EtcdServer, eventually, freePorts, readPage, shownExamples } from '@rookery/test-support';
import { z } from 'zod';
import { configModule } from './config-app.js';
import { rootModule } from './test-app.js';

// etcd/README.md: reports
@Injectable()
class Reports {
  constructor(private readonly locks: LockService) {}

  settle(orderId: string): Promise<string> {
    return this.locks.withLock(`locks/orders/${orderId}`, ({ fence, session }) => `${fence} ${session}`);
  }

  @OnlyLeader('leaders/reports')
  async write(): Promise<string> {
    return `written by the leader, fence ${currentLock()?.fence}`;
  }
}
// etcd/README.md: end

describe("what etcd's README shows", () => {
  let server: EtcdServer;
  let etcd: EtcdClient;
  beforeAll(async () => {
    server = await EtcdServer.start();
    etcd = EtcdClient.create({ endpoints: server.url }, {});
  });
  afterAll(async () => {
    etcd.close();
    await server.stop();
  });

  it('registers an app', async () => {
    // etcd/README.md: app
    @Module({
      imports: [EtcdModule.forRoot({ endpoints: ['http://127.0.0.1:2379'], service: { name: 'inventory' } })],
    })
    class AppModule {}
    // etcd/README.md: end
    const [port = 0] = await freePorts(1);
    const app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(port);
    expect(app.get(DiscoveryService)).toBeDefined();
    await app.close();
    const module = EtcdModule.forRoot({ endpoints: server.url, service: { name: 'inventory' } });
    const there = await NestFactory.create(rootModule([module]), { logger: false });
    await there.listen(port);
    await eventually(async () => (await there.get(DiscoveryService).getInstances('inventory')).length === 1);
    await there.close();
  });

  it('locks, leads and follows its configuration', async () => {
    // With the address of this server instead of the usual one.
    const load = (options: EtcdConfigOptions) => etcdConfig({ ...options, endpoints: server.url });
    const settings =
      // etcd/README.md: settings
      load({
        endpoints: ['http://127.0.0.1:2379'],
        name: 'inventory',
        prefix: '/config',
        schema: z.object({ limits: z.object({ rate: z.number().default(100) }).prefault({}) }),
      });
    // etcd/README.md: end
    const imports = [configModule([settings]), EtcdModule.forRoot({ endpoints: server.url })];
    const app = await NestFactory.create(rootModule(imports, { providers: [Reports] }), { logger: false });
    await app.listen(0);
    const reports = app.get(Reports);
    expect(await reports.settle('42')).toMatch(/^\d+ [0-9a-f]+$/);
    await eventually(() => app.get(LeaderElections).of('leaders/reports').isLeader);
    expect(await reports.write()).toMatch(/^written by the leader, fence \d+$/);
    expect(app.get(ConfigService).get('limits.rate')).toBe(100);
    await server.ctl(['put', '/config/inventory/limits/rate', '200']);
    await eventually(() => app.get(ConfigService).get('limits.rate') === 200);
    expect(app.get(EtcdConfig).get('limits.rate')).toBe(200);
    await app.close();
  });

  it.each(shownExamples(import.meta.url))('is on its page, word for word: $page, $name', ({ page, text }) => {
    const shown = text
      .replace(/^class (AppModule|Reports)/m, 'export class $1')
      .replace(/^load\(/m, 'export const settings = etcdConfig(');
    expect(readPage(page)).toContain(shown);
  });
});
