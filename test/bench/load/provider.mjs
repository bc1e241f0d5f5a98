// A server of `npm run bench -- load`: its one worker takes some milliseconds for each request, and twice as many where half of its time is taken.
import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';

const [isHalfTaken, workMs] = process.argv.slice(2).map(Number);

let busyMs = 0;
let since = performance.now();
let turn = Promise.resolve();
/** By timers and not by CPU, of which the machine has less than five servers need. */
const work = () =>
  (turn = turn.then(async () => {
    const begun = performance.now();
    const until = begun + (isHalfTaken ? 2 : 1) * workMs * (0.75 - 0.25 * Math.log(1 - Math.random()));
    await new Promise((resolve) => setTimeout(resolve, until - performance.now()));
    busyMs += performance.now() - begun;
  }));

class Shop {
  async book() {
    await work();
    return { title: 'Dune' };
  }
}
Get('book')(Shop.prototype, 'book', Object.getOwnPropertyDescriptor(Shop.prototype, 'book'));
Controller()(Shop);

class App {}
Module({
  imports: [DiscoveryModule.forRootAsync({ useFactory: () => ({ registry: new InMemoryRegistry() }) })],
  controllers: [Shop],
})(App);

const app = await NestFactory.create(App, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
process.send({ port: app.getHttpServer().address().port });
// Asked at the end of each round.
process.on('message', () => {
  const now = performance.now();
  process.send({ utilization: busyMs / (now - since) });
  busyMs = 0;
  since = now;
});
process.on('disconnect', () => process.exit());
