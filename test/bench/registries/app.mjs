// An app that uses 500 services of 10 instances, on one registry or the other: measures itself.
import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoveryService } from '@rookery/discovery';
import { ServiceRegistry } from '@rookery/discovery/adapter';

const { registry, url, services, idleMs } = JSON.parse(process.env.BENCH_REGISTRY);
const modules = {
  Consul: async () => (await import('@rookery/consul')).ConsulModule.forRoot({ agent: { url } }),
  etcd: async () => (await import('@rookery/etcd')).EtcdModule.forRoot({ endpoints: url }),
};
class App {}
Module({ imports: [await modules[registry]()] })(App);
const app = await NestFactory.createApplicationContext(App, { logger: false });
const discovery = app.get(DiscoveryService);
const heap = () => {
  for (let n = 0; n < 4; n++) globalThis.gc();
  return process.memoryUsage().heapUsed;
};

await discovery.getInstances('warm-up').catch(() => undefined);
const before = heap();
const begun = performance.now();
let instances = 0;
for (let n = 0; n < services.length; n += 20)
  for (const found of await Promise.all(
    services.slice(n, n + 20).map((name) => discovery.getInstances(name)),
  ))
    instances += found.length;
const loadedMs = performance.now() - begun;
const heapBytes = heap() - before;
let requests = 0;
app.get(ServiceRegistry).onRequest(() => requests++);
await delay(2_000);
requests = 0;
const cpu = process.cpuUsage();
await delay(idleMs);
const { user, system } = process.cpuUsage(cpu);
process.send({
  instances,
  loadedMs,
  heapBytes,
  requestsPerMinute: (requests * 60_000) / idleMs,
  cpuPercent: (user + system) / 10 / idleMs,
});
await app.close();
process.disconnect();
