import { describe } from '@jest/globals';
import { readPage, shownExamples } from '@rookery/test-support';
// testing.md: client test
import { HttpService } from '@nestjs/axios';
import { Controller, Get } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getServiceClientToken, ServiceClient } from '@rookery/consul';
import { of } from 'rxjs';
import { expect, it } from '@jest/globals';

@Controller()
class ShopController {
  constructor(@ServiceClient('inventory') private readonly inventory: HttpService) {}

  @Get('titles')
  async titles() {
    return (await this.inventory.axiosRef.get<string[]>('/books')).data;
  }
}

it('has the titles of the inventory', async () => {
  const inventory = {
    get: () => of({ data: ['Dune'] }),
    axiosRef: { get: async () => ({ data: ['Dune'] }) },
  };
  const module = await Test.createTestingModule({
    controllers: [ShopController],
    providers: [{ provide: getServiceClientToken('inventory'), useValue: inventory }],
  }).compile();
  expect(await module.get(ShopController).titles()).toEqual(['Dune']);
});
// testing.md: end

describe('the page', () => {
  it.each(shownExamples(import.meta.url))('shows this $name', ({ page, text }) => {
    expect(readPage(page)).toContain(text);
  });
});
