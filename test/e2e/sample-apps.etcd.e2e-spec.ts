import type { INestMicroservice, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdClient } from '@rookery/etcd';
import { EtcdServer, eventually, freePorts } from '@rookery/test-support';
import { startApp, type TestApp } from './test-app.js';

interface Offers {
  answeredBy: string;
  ratedBy?: string;
  offers: { id: number; price: string }[];
}

describe('the bookshop on etcd', () => {
  let server: EtcdServer;
  let etcd: EtcdClient;
  let storefront: string;
  let reviews: INestMicroservice;
  const apps: TestApp[] = [];
  const environment = { ...process.env };

  beforeAll(async () => {
    server = await EtcdServer.start();
    etcd = EtcdClient.create({ endpoints: server.url }, {});
    // As the sample apps are configured; they read it when they are imported.
    Object.assign(process.env, { REGISTRY: 'etcd', ETCDCTL_ENDPOINTS: server.url });
    const modules = [
      await import('../../apps/inventory/src/app.module.js'),
      await import('../../apps/storefront/src/app.module.js'),
    ] as const;
    const [Inventory, Storefront] = modules.map(({ AppModule }): Type => AppModule) as [Type, Type];
    const { AppModule: Reviews } = await import('../../apps/reviews/src/app.module.js');
    const { grpcOptions } = await import('../../apps/reviews/src/grpc-options.js');
    const [port = 0] = await freePorts(1);
    reviews = await NestFactory.createMicroservice(Reviews, { ...grpcOptions(port), logger: false });
    await reviews.listen();
    for (let n = 0; n < 2; n++) apps.push(await startApp(Inventory));
    const shop = await startApp(Storefront);
    apps.push(shop);
    storefront = shop.url;
    await eventually(async () => ((await get('/instances')) as unknown[]).length === 2);
  });
  afterAll(async () => {
    await Promise.all([...apps.map(({ app }) => app.close()), reviews.close()]);
    etcd.close();
    await server.stop();
    delete process.env.REGISTRY;
    delete process.env.ETCDCTL_ENDPOINTS;
    Object.assign(process.env, environment);
  });

  const get = async (path: string): Promise<unknown> => (await fetch(storefront + path)).json();

  it('lists books from both instances', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => get(`/books/${n + 1}`)));
    expect(new Set(answers.map((answer) => (answer as Offers).answeredBy)).size).toBe(2);
    expect(((await get('/books')) as Offers).offers).toHaveLength(20);
  });

  it('shows a discount that is set in etcd at once, and keeps the last one that can be', async () => {
    const price = async (): Promise<number> =>
      Number.parseFloat(((await get('/books/1')) as { offer: { price: string } }).offer.price);
    const full = await price();
    await etcd.kv.put('config/storefront/discount', '50');
    await eventually(async () => (await price()) !== full);
    expect(await price()).toBeCloseTo(full / 2, 1);
    await etcd.kv.put('config/storefront/discount', '250');
    await eventually(async () =>
      JSON.stringify(await get('/health')).includes('config/storefront/discount: discount = 250: Too big'),
    );
    expect(await price()).toBeCloseTo(full / 2, 1);
    await etcd.kv.delete('config/storefront/discount');
    await eventually(async () => (await price()) === full);
  });

  it('has ratings of reviews, over gRPC', async () => {
    expect(((await get('/books')) as Offers).ratedBy).toMatch(/^reviews-.+-\d+$/);
  });

  it('leaves nothing behind when it ends', async () => {
    await Promise.all([...apps.splice(0).map(({ app }) => app.close()), reviews.close()]);
    expect((await etcd.kv.range({ prefix: '' })).values).toEqual([]);
  });
});
