import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AppModule as InventoryModule } from '../../apps/inventory/src/app.module.js';
import { AppModule as ReviewsModule } from '../../apps/reviews/src/app.module.js';
import { grpcOptions } from '../../apps/reviews/src/grpc-options.js';
import { AppModule as StorefrontModule } from '../../apps/storefront/src/app.module.js';
import { NestFactory } from '@nestjs/core';
import { startTestConsul, eventually, freePorts, type TestConsul } from '@rookery/test-support';
import type { INestMicroservice } from '@nestjs/common';
import { PLATFORMS, startApp, type TestApp } from './test-app.js';

interface Offers {
  answeredBy: string;
  ratedBy?: string;
  offers: { id: number; title: string; price: string; availability: string; rating?: string }[];
}

describe.each(PLATFORMS)('the bookshop on %s with Consul', (platform) => {
  let consul: TestConsul;
  const apps: TestApp[] = [];
  const reviews: INestMicroservice[] = [];
  let storefront: string;
  const address = process.env.CONSUL_HTTP_ADDR;

  beforeAll(async () => {
    consul = await startTestConsul();
    process.env.CONSUL_HTTP_ADDR = consul.url; // as the sample apps are configured
    for (let n = 0; n < 2; n++) apps.push(await startApp(InventoryModule, { platform }));
    for (const port of await freePorts(2)) {
      const options = { ...grpcOptions(port), logger: false } as const;
      const microservice = await NestFactory.createMicroservice(ReviewsModule, options);
      await microservice.listen();
      reviews.push(microservice);
    }
    const shop = await startApp(StorefrontModule, { platform });
    apps.push(shop);
    storefront = shop.url;
    await eventually(async () => ((await get('/instances')).body as unknown[]).length === 2);
  });
  afterAll(async () => {
    await Promise.all([...apps.map(({ app }) => app.close()), ...reviews.map((app) => app.close())]);
    await consul.stop();
    if (address === undefined) delete process.env.CONSUL_HTTP_ADDR;
    else process.env.CONSUL_HTTP_ADDR = address;
  });

  const get = async (path: string): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(storefront + path);
    return { status: response.status, body: await response.json() };
  };

  it('lists, searches and shows books with their price, and says which instance answered', async () => {
    const list = (await get('/books')).body as Offers;
    expect(list.offers).toHaveLength(20);
    expect(list.offers[0]).toMatchObject({ id: 1, price: expect.stringMatching(/^\d+\.90 EUR$/) as unknown });
    expect(list.answeredBy).toMatch(/^inventory-.+-\d+$/);
    const found = (await get('/books?search=tolkien%20towers')).body as Offers;
    expect(found.offers.map(({ title }) => title)).toEqual(['The Two Towers']);
    const { body } = await get(`/books/${found.offers[0]?.id ?? 0}`);
    expect(body).toMatchObject({
      offer: { title: 'The Two Towers', availability: expect.any(String) as unknown },
    });
  });

  it('uses both instances', async () => {
    const answered = new Set<string>();
    // Concurrently, so that one instance cannot be the better one for all.
    const books = await Promise.all(Array.from({ length: 20 }, (_, n) => get(`/books/${n + 1}`)));
    for (const { body } of books) answered.add((body as Offers).answeredBy);
    expect(answered.size).toBe(2);
  });

  it('has ratings of the instances of reviews, over gRPC, and sells without them when there are none', async () => {
    const rated = async (): Promise<Offers> => (await get('/books')).body as Offers;
    await eventually(async () => ((await get('/instances?service=reviews')).body as unknown[]).length === 2);
    const answered = new Set<string | undefined>();
    await eventually(async () => answered.add((await rated()).ratedBy).size === 2);
    for (const id of answered) expect(id).toMatch(/^reviews-.+-\d+$/);
    for (const { rating } of (await rated()).offers) expect(rating).toMatch(/^\d\.\d of 5 \(\d+ reviews\)$/);
    await Promise.all(reviews.splice(0).map((app) => app.close()));
    const { ratedBy, offers } = await rated();
    expect(ratedBy).toBeUndefined();
    expect(offers).toHaveLength(20);
    expect(offers[0]).not.toHaveProperty('rating');
  });

  it('shows a discount that is set in Consul at once, and keeps the last one that can be', async () => {
    const price = async (): Promise<string> =>
      ((await get('/books/1')).body as { offer: { price: string } }).offer.price;
    const full = await price();
    await consul.request('PUT', '/v1/kv/config/storefront/discount', 50);
    await eventually(async () => (await price()) !== full);
    expect(Number.parseFloat(await price())).toBeCloseTo(Number.parseFloat(full) / 2, 1);
    await consul.request('PUT', '/v1/kv/config/storefront/discount', 250);
    const health = async (): Promise<string> => JSON.stringify((await get('/health')).body);
    await eventually(async () =>
      (await health()).includes('config/storefront/discount: discount = 250: Too big'),
    );
    expect(Number.parseFloat(await price())).toBeCloseTo(Number.parseFloat(full) / 2, 1);
    await consul.request('DELETE', '/v1/kv/config/storefront/discount');
    await eventually(async () => (await price()) === full);
  });

  it("passes on inventory's client errors", async () => {
    expect(await get('/books/9999')).toMatchObject({
      status: 404,
      body: { message: 'there is no book 9999' },
    });
    expect((await get('/books/seven')).status).toBe(400);
  });
});
