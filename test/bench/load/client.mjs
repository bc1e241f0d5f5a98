// A client of `npm run bench -- load`: calls at random times, whatever became of the ones before.
import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServiceClientFactory } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';

const ports = process.argv.slice(2).map(Number);

process.on('message', async ({ strategy, perSecond, milliseconds, warmMs }) => {
  const registry = new InMemoryRegistry();
  for (const port of ports) registry.put({ service: 'shop', id: `shop-${port}`, port });
  class App {}
  Module({
    imports: [
      DiscoveryModule.forRootAsync({
        useFactory: () => ({ registry, clients: { strategy, timeout: '10s' } }),
      }),
    ],
  })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: ['error'] });
  const shop = app.get(ServiceClientFactory).create('shop');
  const took = [];
  let failed = 0;
  const under = new Set();
  const begun = performance.now();
  for (let at = begun; at - begun < milliseconds; at += (-Math.log(1 - Math.random()) * 1_000) / perSecond) {
    const wait = at - performance.now();
    if (wait > 0) await delay(wait);
    const called = shop.axiosRef
      .get('/book')
      .then(
        () => void (at - begun >= warmMs && took.push(performance.now() - at)),
        () => void failed++,
      )
      .finally(() => under.delete(called));
    under.add(called);
  }
  await Promise.all(under);
  await app.close();
  process.send({ took, failed });
});
process.send({ isReady: true });
process.on('disconnect', () => process.exit());
