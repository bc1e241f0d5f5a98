// Calls a service without a pause, in a separate process, and reports what failed: GETs may not, and POSTs are only counted.
import 'reflect-metadata';
import { createServer } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, DiscoveryEvents, DiscoveryService, ServiceClientFactory } from '@rookery/consul';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
const { service, options } = JSON.parse(process.env.CHAOS_CALLER ?? '{}');

class CallerModule {}
Module({ imports: [ConsulModule.forRoot(options)] })(CallerModule);
const app = await NestFactory.createApplicationContext(CallerModule, { abortOnError: false });
app.get(DiscoveryEvents).events$.subscribe((event) => console.log(`event ${JSON.stringify(event)}`));
const discovery = app.get(DiscoveryService);
const http = app.get(ServiceClientFactory).create(service).axiosRef;

const done = { get: 0, post: 0 };
const failed = [];
let isCalling = true;
const call = async (kind, n) => {
  const startedAt = Date.now();
  try {
    await http.request(kind === 'get' ? { url: '/work' } : { url: `/orders/${n}`, method: 'post' });
  } catch (error) {
    failed.push({ kind, startedAt, endedAt: Date.now(), reason: error.message });
    console.log(`failed ${kind}: ${error.message}`);
  }
  done[kind]++;
};
const begin = async () => {
  await discovery.getInstances(service);
  for (let n = 0; isCalling; n++) {
    void call(n % 3 === 2 ? 'post' : 'get', n);
    await sleep(25);
  }
};
begin().catch((error) => {
  console.error('the load ended', error);
  process.exit(98);
});

createServer(async (request, response) => {
  if (request.url === '/stop') isCalling = false;
  if (request.url === '/health/live') return response.end('{}');
  collectGarbage();
  const view = await discovery.getInstances(service).catch(() => []);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const state = { done, failed, heap: heapUsed + arrayBuffers, view: view.map(({ id }) => id) };
  return response.end(JSON.stringify(state));
}).listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => void app.close().then(() => process.exit(0)));
