import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { ConsulModule, RegistrationService } from '@rookery/consul';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { ShopController } from './shop.controller.js';

@Controller()
class InventoryController {
  @Get('books')
  books(): object[] {
    return [{ title: 'Dune' }];
  }
}

let consul: EmbeddedConsul;
beforeEach(async () => {
  consul = await EmbeddedConsul.start();
});
afterEach(() => consul.stop());

it('calls the inventory, also while Consul is away', async () => {
  @Module({
    imports: [ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'inventory' } })],
    controllers: [InventoryController, ShopController],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(0);
  await app.get(RegistrationService).whenRegistered();
  const titles = async (): Promise<unknown> => (await fetch(`${await app.getUrl()}/titles`)).json();
  expect(await titles()).toEqual(['Dune']);

  consul.faults.reset();
  expect(await titles()).toEqual(['Dune']);
  consul.faults.heal();
  await app.close();
});
