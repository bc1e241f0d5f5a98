// `npm run bench -- grpc`: unary calls by the name of a service beside a plain client of @grpc/grpc-js to one address, in one run.
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoveryService } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { callInterceptor, discoveryChannel, GrpcDiscoveryModule } from '@rookery/microservices/grpc';

const ROUNDS = 200;
const ROUND_MS = 100;
const CONCURRENCY = 64;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export async function benchGrpc() {
  const servers = await Promise.all([start(), start()]);
  const registry = new InMemoryRegistry();
  for (const { port } of servers) registry.put({ service: 'library', port });
  registry.put({ service: 'single', port: servers[0].port });
  class App {}
  Module({
    imports: [DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) }), GrpcDiscoveryModule],
  })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: false });
  const { Library } = loadPackageDefinition(loadSync(here('../../microservices/library.proto'))).library;
  const insecure = credentials.createInsecure();
  const channel = discoveryChannel(app.get(DiscoveryService), 'library');
  const clients = {
    'plain client, one address': new Library(`127.0.0.1:${servers[0].port}`, insecure),
    'plain client, with deadlines': withDeadlines(new Library(`127.0.0.1:${servers[0].port}`, insecure)),
    'plain client, round_robin of two': new Library(
      `ipv4:${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
      insecure,
      {
        'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
      },
    ),
    'rookery, one instance': new Library('single', insecure, {
      channelOverride: discoveryChannel(app.get(DiscoveryService), 'single'),
    }),
    'rookery, one, and its interceptor': new Library('single', insecure, {
      channelOverride: discoveryChannel(app.get(DiscoveryService), 'single'),
      interceptors: [callInterceptor('single', { discovery: app.get(DiscoveryService) })],
    }),
    'rookery, two instances': new Library('library', insecure, { channelOverride: channel }),
    'rookery, two, and its interceptor': new Library('library', insecure, {
      channelOverride: channel,
      interceptors: [callInterceptor('library', { discovery: app.get(DiscoveryService) })],
    }),
  };
  const results = Object.fromEntries(Object.keys(clients).map((name) => [name, []]));
  for (const client of Object.values(clients)) await load(client, ROUND_MS);
  // In turns, so that a change of the machine is one for all.
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, client] of Object.entries(clients)) results[name].push(await load(client, ROUND_MS));
  const [[, plain], [, withDeadline]] = Object.entries(results);
  console.log(
    `unary calls, ${CONCURRENCY} at a time; ${ROUNDS} rounds of ${ROUND_MS} ms: median, and what each round is of that of a plain client, and of one with deadlines, as calls of Rookery have them: median (quartiles):`,
  );
  for (const [name, rates] of Object.entries(results)) {
    const rate = Math.round(quantile(rates, 0.5)).toString().padStart(7);
    console.log(
      `  ${name.padEnd(33)} ${rate} calls/s  ${shareOf(plain, rates)}  ${shareOf(withDeadline, rates)}`,
    );
  }
  for (const client of Object.values(clients)) client.close();
  await app.close();
  for (const { child } of servers) child.disconnect();
}

/** As each call of Rookery has one. */
function withDeadlines(client) {
  return {
    Find: (request, answer) => client.Find(request, { deadline: Date.now() + 10_000 }, answer),
    close: () => client.close(),
  };
}

async function start() {
  const child = fork(here('./server.mjs'));
  const [{ port }] = await once(child, 'message');
  return { child, port };
}

/** @returns calls a second */
async function load(client, milliseconds) {
  const begun = performance.now();
  let calls = 0;
  const caller = async () => {
    while (performance.now() - begun < milliseconds) {
      await new Promise((resolve, reject) =>
        client.Find({ title: 'Dune' }, (error) => (error ? reject(error) : resolve())),
      );
      calls++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  return (calls * 1_000) / (performance.now() - begun);
}

function shareOf(plain, rates) {
  const ratios = rates.map((rate, round) => rate / plain[round]);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share).toFixed(2));
  return `${middle} (${low} to ${high})`;
}

function quantile(values, share) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)];
}
