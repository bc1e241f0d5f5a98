// An app of `npm run bench -- shedding`: each request costs its only thread a few milliseconds, in steps.
import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';

const [loadShedding, workMs] = process.argv.slice(2);

/** As handlers do that ask a database in between. */
const STEPS = 4;

class Work {
  async work() {
    for (let step = 0; step < STEPS; step++) {
      const until = performance.now() + Number(workMs) / STEPS;
      while (performance.now() < until);
      await delay(1);
    }
    return 'done';
  }
}
Get('work')(Work.prototype, 'work', Object.getOwnPropertyDescriptor(Work.prototype, 'work'));
Controller()(Work);

class App {}
Module({
  imports: [
    DiscoveryModule.forRootAsync({
      useFactory: () => ({ registry: new InMemoryRegistry(), loadShedding: loadShedding === 'true' }),
    }),
  ],
  controllers: [Work],
})(App);

const app = await NestFactory.create(App, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
process.send({ port: app.getHttpServer().address().port });
process.on('disconnect', () => process.exit());
