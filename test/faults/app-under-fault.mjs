// An app in a separate process, for the fault tests; it runs on the built packages, as a user's does.
import 'reflect-metadata';
import os from 'node:os';
import { appendFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, DiscoveryEvents, DiscoveryService } from '@rookery/consul';

// Two containers of one image have a host name each.
if (process.env.FAULT_HOSTNAME) {
  os.hostname = () => process.env.FAULT_HOSTNAME;
  syncBuiltinESMExports();
}

for (const event of ['unhandledRejection', 'uncaughtException']) {
  process.on(event, (error) => {
    console.error(event, error);
    process.exit(99);
  });
}

class AppModule {}
Module({ imports: [ConsulModule.forRoot(JSON.parse(process.env.FAULT_OPTIONS ?? '{}'))] })(AppModule);

// Every order of every instance, so that an order that was placed twice is found.
const note = (id) => process.env.FAULT_ORDERS && appendFileSync(process.env.FAULT_ORDERS, `${id}\n`);
const app = await NestFactory.create(AppModule, { abortOnError: false });
app.enableShutdownHooks();
const http = app.getHttpAdapter();
http.get('/work', (_, response) => response.json({ pid: process.pid }));
http.get('/slow', async (request, response) => {
  await sleep(Number(request.query.ms));
  response.json({ pid: process.pid });
});
http.post('/orders/:id', (request, response) => {
  note(request.params.id);
  response.json({ pid: process.pid });
});
http.get('/instances/:name', async (request, response) => {
  const discovery = app.get(DiscoveryService);
  response.json(await discovery.getInstances(request.params.name).catch((error) => ({ error: error.code })));
});
http.post('/block', (request, response) => {
  response.json({});
  setTimeout(() => {
    const until = Date.now() + Number(request.query.ms);
    while (Date.now() < until);
  }, 50);
});
app.get(DiscoveryEvents).events$.subscribe((event) => console.log(`event ${JSON.stringify(event)}`));
await app.listen(Number(process.env.PORT), process.env.FAULT_BIND ?? '0.0.0.0');
console.log('listening');
