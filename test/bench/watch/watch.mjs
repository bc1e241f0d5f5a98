// Waits for changes of a service, both by a bare blocking query and by `DiscoveryService.watch`.
import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, DiscoveryService } from '@rookery/consul';
import { Pool } from 'undici';

const [url, service] = process.argv.slice(2);
class App {}
Module({ imports: [ConsulModule.forRoot({ agent: { url } })] })(App);
const app = await NestFactory.createApplicationContext(App, { logger: false });

/** When each has seen the tag of a change. */
const seen = { bare: new Map(), snapshot: new Map() };
const waiting = [];
function note(kind, tags) {
  const now = performance.now();
  for (const tag of tags) if (!seen[kind].has(tag)) seen[kind].set(tag, now);
  for (const { tag, resolve } of waiting.splice(0)) {
    if (seen.bare.has(tag) && seen.snapshot.has(tag)) resolve();
    else waiting.push({ tag, resolve });
  }
}

await app.get(DiscoveryService).getInstances(service);
app
  .get(DiscoveryService)
  .watch(service)
  .subscribe(({ instances }) =>
    note(
      'snapshot',
      instances.flatMap(({ tags }) => tags),
    ),
  );
const pool = new Pool(url);
async function bare() {
  for (let index = 0; ;) {
    const { headers, body } = await pool.request({
      method: 'GET',
      path: `/v1/health/service/${service}?index=${index}&wait=60s`,
      headersTimeout: 0,
    });
    index = Number(headers['x-consul-index']);
    const entries = await body.json();
    note(
      'bare',
      entries.flatMap(({ Service }) => Service.Tags),
    );
  }
}
bare().catch(() => process.exit(1));

process.on('message', async ({ tag }) => {
  const begun = performance.now();
  await new Promise((resolve) => waiting.push({ tag, resolve }));
  process.send({ bareMs: seen.bare.get(tag) - begun, snapshotMs: seen.snapshot.get(tag) - begun });
});
process.on('disconnect', () => process.exit());
process.send({ ready: true });
