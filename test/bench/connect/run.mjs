// `npm run bench -- connect`: calls to an app without TLS, with TLS, and with the mutual TLS of Consul Connect, in one run.
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, connectHttpsOptions, ServiceClientFactory } from '@rookery/consul';
import { ConsulAgent, TestCertificates } from '@rookery/test-support';
import { median } from '../http/statistics.mjs';

const KINDS = ['plain', 'tls', 'native'];
const ROUNDS = 15;
const ROUND_MS = 600;
const CONCURRENCY = 32;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export async function benchConnect() {
  const consul = await ConsulAgent.start();
  const certificates = await TestCertificates.create('localhost');
  const servers = await Promise.all(
    KINDS.map(async (kind) => {
      const child = fork(here('./server.mjs'), [
        kind,
        consul.url,
        certificates.file('server'),
        certificates.file('server-key'),
      ]);
      await once(child, 'message');
      return child;
    }),
  );
  class App {}
  Module({
    imports: [
      ConsulModule.forRoot({
        agent: { url: consul.url },
        service: { name: 'caller', register: 'manual' },
        connect: { native: true },
        clients: { tls: { caFile: certificates.file('ca') } },
      }),
    ],
  })(App);
  const app = await NestFactory.create(App, { logger: ['error'], httpsOptions: connectHttpsOptions() });
  await app.init();
  const clients = KINDS.map((kind) => app.get(ServiceClientFactory).create(kind));
  const rates = KINDS.map(() => []);
  for (const client of clients) await load(client, ROUND_MS);
  // In turns, so that a change of the machine is one for all.
  for (let round = 0; round < ROUNDS; round++)
    for (const [n, client] of clients.entries()) rates[n].push(await load(client, ROUND_MS));
  const base = median(rates[1]);
  console.log(`GET, ${CONCURRENCY} at a time, median of ${ROUNDS} rounds of ${ROUND_MS} ms:`);
  const names = ['without TLS', 'TLS', 'mutual TLS of Consul Connect'];
  for (const [n, name] of names.entries()) {
    const rate = median(rates[n]);
    console.log(
      `  ${name.padEnd(30)} ${String(Math.round(rate)).padStart(6)} calls/s  ${(rate / base).toFixed(2)}`,
    );
  }
  await app.close();
  for (const server of servers) {
    server.disconnect();
    await once(server, 'exit');
  }
  await consul.stop();
  certificates.remove();
}

/** @returns calls a second */
async function load(client, milliseconds) {
  const begun = performance.now();
  let calls = 0;
  const caller = async () => {
    while (performance.now() - begun < milliseconds) {
      await client.axiosRef.get('/stock');
      calls++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  return (calls * 1_000) / (performance.now() - begun);
}
