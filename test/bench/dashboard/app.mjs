// An app that uses 500 services of 10 instances, some of which change and are called each second.
import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DashboardModule } from '@rookery/dashboard';
import { DiscoveryService } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';

const SERVICES = 500;
const INSTANCES = 10;
const CHANGES = 20;
const CALLED = 50;

const registry = new InMemoryRegistry();
for (let s = 0; s < SERVICES; s++)
  for (let n = 0; n < INSTANCES; n++)
    registry.put({ id: `service-${s}-${n}`, service: `service-${s}`, address: '10.0.0.1', port: 3_000 + n });
class App {}
Module({
  imports: [
    DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) }),
    DashboardModule.forRoot({ enabled: process.argv[2] === 'dashboard' }),
  ],
})(App);
const app = await NestFactory.create(App, { logger: false });
await app.listen(0, '127.0.0.1');
const discovery = app.get(DiscoveryService);
for (let s = 0; s < SERVICES; s++) await discovery.getInstances(`service-${s}`);

let turn = 0;
setInterval(() => {
  turn++;
  for (let n = 0; n < CHANGES; n++)
    registry.setStatus(
      `service-${(turn * CHANGES + n) % SERVICES}-0`,
      turn % 2 === 0 ? 'passing' : 'critical',
    );
  for (let n = 0; n < CALLED; n++)
    discovery.call(`service-${n}`, async () => undefined).catch(() => undefined);
}, 1_000);

process.on('message', async (ms) => {
  const [cpu, begun] = [process.cpuUsage(), performance.now()];
  await delay(ms);
  const { user, system } = process.cpuUsage(cpu);
  process.send((user + system) / 10 / (performance.now() - begun));
});
process.on('disconnect', () => process.exit());
process.send(await app.getUrl());
