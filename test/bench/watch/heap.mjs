// The heap that the lists of services take, one after the other, after a call to each.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, DiscoveryService } from '@rookery/consul';

const [url, ...services] = process.argv.slice(2);
class App {}
Module({ imports: [ConsulModule.forRoot({ agent: { url } })] })(App);
const app = await NestFactory.createApplicationContext(App, { logger: false });
const discovery = app.get(DiscoveryService);

async function settledHeap() {
  for (let n = 0; n < 5; n++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage().heapUsed;
}

process.on('message', async () => {
  // What everything else takes is there before.
  await discovery.call('warm-up', async () => undefined).catch(() => undefined);
  const bytes = [];
  let before = await settledHeap();
  for (const service of services) {
    await discovery.getInstances(service);
    await discovery.call(service, async () => undefined);
    const now = await settledHeap();
    bytes.push(now - before);
    before = now;
  }
  process.send({ bytes });
});
process.on('disconnect', () => process.exit());
process.send({ ready: true });
