import { Controller, Get, Header } from '@nestjs/common';
import { SHOP_PAGE } from './shop.page.js';

/** The face of the shop. */
@Controller()
export class ShopController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  page(): string {
    return SHOP_PAGE;
  }
}
