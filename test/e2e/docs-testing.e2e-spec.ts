import { readPage, shownExamples } from '@rookery/test-support';
// testing.md: whole test
import { HttpService } from '@nestjs/axios';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, RegistrationService, ServiceClient } from '@rookery/consul';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { afterEach, beforeEach, expect, it } from '@jest/globals';

@Controller()
class BooksController {
  @Get('books')
  books() {
    return ['Dune'];
  }
}

@Injectable()
class Shop {
  constructor(@ServiceClient('inventory', { strategy: 'round-robin' }) readonly inventory: HttpService) {}
}

let consul: EmbeddedConsul;
beforeEach(async () => {
  consul = await EmbeddedConsul.start(); // on a free port, ready in a millisecond
});
afterEach(() => consul.stop());

function start(module: object) {
  class TestModule {}
  Module(module)(TestModule);
  return NestFactory.create(TestModule, { logger: false });
}

it('calls both instances, also while the agent is unreachable', async () => {
  const agent = { url: consul.url };
  const inventory = {
    imports: [ConsulModule.forRoot({ agent, service: { name: 'inventory' } })],
    controllers: [BooksController],
  };
  const instances = await Promise.all([start(inventory), start(inventory)]);
  for (const instance of instances) {
    await instance.listen(0);
    await instance.get(RegistrationService).whenRegistered();
  }
  const shop = await start({ imports: [ConsulModule.forRoot({ agent })], providers: [Shop] });
  await shop.init();

  const { axiosRef } = shop.get(Shop).inventory;
  const call = async () => (await axiosRef.get('/books')).call?.attempts.at(-1)?.instance;
  expect(await call()).toBeDefined();
  while (new Set([await call(), await call()]).size < 2); // both are discovered a moment later

  consul.faults.reset(); // every connection, and every new one
  expect(new Set([await call(), await call()]).size).toBe(2);
  consul.faults.heal();

  await Promise.all([shop, ...instances].map((app) => app.close()));
});
// testing.md: end

it.each(shownExamples(import.meta.url))('is on its page, word for word: $page, $name', ({ page, text }) => {
  expect(readPage(page)).toContain(text);
});
