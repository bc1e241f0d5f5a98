// Many calls to instances that come and go: `pool-churn.mjs CALLS`. Prints the heap and the sockets, as JSON.
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServiceClientFactory } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';

const CALLS = Number(process.argv[2]);
const INSTANCES = 8;
const LISTED = 4;
const CALLERS = 32;
const SAMPLES = 20;

const children = [];
const ports = [];
for (let n = 0; n < INSTANCES; n++) {
  const child = fork(fileURLToPath(new URL('../bench/http/server.mjs', import.meta.url)));
  children.push(child);
  ports.push((await new Promise((resolve) => child.once('message', resolve))).port);
}

const registry = new InMemoryRegistry();
const discovery = DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) });
class App {}
Module({ imports: [discovery] })(App);
const app = await NestFactory.createApplicationContext(App, { logger: ['error'] });
const { axiosRef } = app.get(ServiceClientFactory).create('peer');

const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
const id = (n) => `peer-${n % INSTANCES}`;
let newest = 0;
const add = (n) =>
  registry.put({ id: id(n), service: 'peer', address: '127.0.0.1', port: ports[n % INSTANCES] });
for (; newest < LISTED; newest++) add(newest);
/** One comes, and the oldest goes. */
const turn = () => {
  add(newest);
  registry.remove(id(newest - LISTED));
  newest++;
};

let made = 0;
let failed = 0;
let most = 0;
const heap = [];
const caller = async () => {
  while (made < CALLS) {
    const n = made++;
    if (n % Math.floor(CALLS / 100) === 0) turn();
    if (n % Math.floor(CALLS / SAMPLES) === 0) {
      globalThis.gc();
      heap.push(process.memoryUsage().heapUsed);
      most = Math.max(most, sockets());
    }
    await axiosRef.get('/').catch(() => failed++);
  }
};
await Promise.all(Array.from({ length: CALLERS }, caller));
const before = sockets();
await app.close();
// The handles of closed sockets are gone a turn later.
for (let n = 0; n < 100 && sockets() > 0; n++) await new Promise((resolve) => setTimeout(resolve, 10));
console.log(
  JSON.stringify({ calls: made, failed, turns: newest - LISTED, heap, most, before, after: sockets() }),
);
for (const child of children) child.disconnect();
