// An app of `npm run bench -- reporting`, in a process of its own.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';

class Shop {
  book() {
    return { title: 'Dune' };
  }
}
Get('book')(Shop.prototype, 'book', Object.getOwnPropertyDescriptor(Shop.prototype, 'book'));
Controller()(Shop);

class App {}
Module({
  imports: [DiscoveryModule.forRootAsync({ useFactory: () => ({ registry: new InMemoryRegistry() }) })],
  controllers: [Shop],
})(App);

const app = await NestFactory.create(App, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
process.send({ port: app.getHttpServer().address().port });
process.on('disconnect', () => process.exit());
