import type { HttpService } from '@nestjs/axios';
import { Controller, Get } from '@nestjs/common';
import { ServiceClient } from '@rookery/consul';

@Controller()
export class ShopController {
  constructor(@ServiceClient('inventory') private readonly inventory: HttpService) {}

  @Get('titles')
  async titles(): Promise<string[]> {
    const { data } = await this.inventory.axiosRef.get<{ title: string }[]>('/books');
    return data.map(({ title }) => title);
  }
}
