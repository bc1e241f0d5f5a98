// An app of `npm run bench -- connect`, in a process of its own: plain, with TLS, or Connect-native.
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, connectHttpsOptions, RegistrationService } from '@rookery/consul';

const [name, url, certFile, keyFile] = process.argv.slice(2);

class Stock {
  stock() {
    return { copies: 3 };
  }
}
Get('stock')(Stock.prototype, 'stock', Object.getOwnPropertyDescriptor(Stock.prototype, 'stock'));
Controller()(Stock);

class App {}
Module({
  imports: [
    ConsulModule.forRoot({
      agent: { url },
      service: { name, address: '127.0.0.1', check: { type: 'ttl' } },
      connect: { native: name === 'native' },
      shutdown: { drainTimeout: 0 },
    }),
  ],
  controllers: [Stock],
})(App);

const httpsOptions = {
  plain: undefined,
  tls: certFile && { cert: readFileSync(certFile), key: readFileSync(keyFile) },
  native: connectHttpsOptions(),
}[name];
const app = await NestFactory.create(App, { logger: ['error'], ...(httpsOptions ? { httpsOptions } : {}) });
await app.listen(0, '127.0.0.1');
await app.get(RegistrationService).whenRegistered();
process.send({ isReady: true });
process.on('disconnect', () => void app.close().then(() => process.exit()));
