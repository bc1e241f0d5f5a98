// A separate process that watches many instances and measures itself, on the built packages. Run with --expose-gc.
import 'reflect-metadata';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, DiscoveryService } from '@rookery/consul';

const { url, services, forMs } = JSON.parse(process.env.SCALE ?? '{}');

class AppModule {}
Module({ imports: [ConsulModule.forRoot({ agent: { url } })] })(AppModule);
const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const discovery = app.get(DiscoveryService);

/** Live heap: on a busy machine the garbage of a finished request is freed some moments later. */
const heap = async () => {
  let least = Infinity;
  for (let n = 0; n < 20; n++) {
    globalThis.gc();
    const used = process.memoryUsage().heapUsed;
    if (n > 3 && used > least * 0.999) return least;
    least = Math.min(least, used);
    await sleep(50);
  }
  return least;
};

// The compiled code that reads a list does not belong to the cost of an instance: a longer list compiles it first.
await discovery.getInstances('warm-up').catch(() => undefined);
const before = await heap();
const rssBefore = process.memoryUsage().rss;
const begun = performance.now();
let instances = 0;
for (let n = 0; n < services.length; n += 20)
  await Promise.all(
    services.slice(n, n + 20).map(async (name) => {
      const found = await discovery.getInstances(name);
      instances += found.length;
    }),
  );
const loaded = performance.now() - begun;
const after = await heap();
const rssAfter = process.memoryUsage().rss;

// The time of JSON.parse for the largest response, in this process.
const text = await (await fetch(`${url}/v1/health/service/${services[0]}`)).text();
const parses = [];
for (let n = 0; n < 5; n++) {
  const start = performance.now();
  JSON.parse(text);
  parses.push(performance.now() - start);
}
const subscriptions = services.slice(0, 1).map((name) => discovery.watch(name).subscribe(() => changes++));
let changes = 0;
await sleep(500);
globalThis.gc();
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
const cpu = process.cpuUsage();
process.send({ phase: 'measuring' });
await sleep(forMs);
const used = process.cpuUsage(cpu);
delay.disable();
process.send({
  phase: 'done',
  instances,
  loadedMs: loaded,
  heapBytes: after - before,
  rssBytes: rssAfter - rssBefore,
  parseMs: Math.min(...parses),
  answerBytes: text.length,
  stallMs: delay.max / 1e6,
  // A change that blocks does so each time, more than ten times; other load on the machine is rarer.
  usualStallMs: delay.percentile(99.7) / 1e6,
  cpuMsPerMinute: ((used.user + used.system) / 1000) * (60_000 / forMs),
  changes,
});
for (const subscription of subscriptions) subscription.unsubscribe();
await app.close();
process.exit(0);
