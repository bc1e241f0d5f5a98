// Apps of benchmarks, in a process that one of them forked.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';

/** What an app with Rookery imports. */
export function rookery(options = {}) {
  return DiscoveryModule.forRootAsync({
    useFactory: () => ({ registry: new InMemoryRegistry(), ...options }),
  });
}

/** @returns the port of an app with this route and no other */
export async function startApp(path, handle, imports) {
  class Routes {}
  Routes.prototype.handle = handle;
  Get(path)(Routes.prototype, 'handle', Object.getOwnPropertyDescriptor(Routes.prototype, 'handle'));
  Controller()(Routes);

  class App {}
  Module({ imports, controllers: [Routes] })(App);

  const app = await NestFactory.create(App, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  process.on('disconnect', () => process.exit());
  return app.getHttpServer().address().port;
}
