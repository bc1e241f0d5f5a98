import { Test } from '@nestjs/testing';
import { expect, it } from '@jest/globals';
import { getServiceClientToken } from '@rookery/consul';
import { ShopController } from './shop.controller.js';

it('has the titles of the inventory, without Consul and without a network', async () => {
  const axiosRef = { get: async () => ({ data: [{ title: 'Dune' }, { title: 'Emma' }] }) };
  const module = await Test.createTestingModule({
    controllers: [ShopController],
    providers: [{ provide: getServiceClientToken('inventory'), useValue: { axiosRef } }],
  }).compile();
  expect(await module.get(ShopController).titles()).toEqual(['Dune', 'Emma']);
});
