// One kind of client for `npm run bench -- grpc`, in a process of its own, as an app has it: V8 compiles for the kinds of objects that a process has seen.
import 'reflect-metadata';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientGrpcProxy } from '@nestjs/microservices';
import { DiscoveryService } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import {
  callInterceptor,
  discoveryChannel,
  GrpcClients,
  GrpcDiscoveryModule,
} from '@rookery/microservices/grpc';

const CONCURRENCY = 64;

const [kind, ...ports] = process.argv.slice(2);
const proto = fileURLToPath(new URL('../../microservices/library.proto', import.meta.url));
const { Library } = loadPackageDefinition(loadSync(proto)).library;
const insecure = credentials.createInsecure();
const [address] = ports.map((port) => `127.0.0.1:${port}`);

const KINDS = {
  plain: () => new Library(address, insecure),
  // As each call of Rookery has one.
  deadline: () => {
    const client = new Library(address, insecure);
    return {
      Find: (request, answer) => client.Find(request, { deadline: Date.now() + 10_000 }, answer),
      close: () => client.close(),
    };
  },
  roundRobin: () => {
    const addresses = `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`;
    const config = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });
    return new Library(addresses, insecure, { 'grpc.service_config': config });
  },
  channel: async () => byName(await appWith(ports), []),
  intercepted: async () => {
    const app = await appWith(ports);
    return byName(app, [callInterceptor('library', { discovery: app.get(DiscoveryService) })]);
  },
  // Methods of Nest's clients return Observables.
  nest: () => {
    const proxy = new ClientGrpcProxy({ url: address, package: 'library', protoPath: proto });
    return observed(proxy.getService('Library'), () => proxy.close());
  },
  // As @GrpcServiceClient injects it.
  injected: async () => {
    const app = await appWith(ports);
    const options = { package: 'library', protoPath: proto, service: 'Library' };
    return observed(app.get(GrpcClients).create('library', options), () => app.close());
  },
};

function observed(library, close) {
  const Find = (request, answer) =>
    library.find(request).subscribe({ error: answer, complete: () => answer(null) });
  return { Find, close };
}

async function appWith(instances) {
  const registry = new InMemoryRegistry();
  for (const port of instances) registry.put({ service: 'library', port: Number(port) });
  class App {}
  Module({
    imports: [DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) }), GrpcDiscoveryModule],
  })(App);
  return NestFactory.createApplicationContext(App, { logger: false });
}

function byName(app, interceptors) {
  const channelOverride = discoveryChannel(app.get(DiscoveryService), 'library');
  const client = new Library('library', insecure, { channelOverride, interceptors });
  return {
    Find: (request, answer) => client.Find(request, answer),
    close: () => {
      client.close();
      return app.close();
    },
  };
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

const client = await KINDS[kind]();
process.on('message', (milliseconds) => void load(client, milliseconds).then((rate) => process.send(rate)));
process.on('disconnect', () => void Promise.resolve(client.close()).then(() => process.exit()));
process.send('ready');
