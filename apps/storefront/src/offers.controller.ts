import { HttpService } from '@nestjs/axios';
import { Controller, Get, HttpException, Param, Query } from '@nestjs/common';
import { DiscoveryService, ServiceClient } from '@rookery/consul';
import { isAxiosError, type AxiosResponse } from 'axios';
import { firstValueFrom, type Observable } from 'rxjs';
import { Prices } from './prices.js';

interface Book {
  id: number;
  title: string;
  author: string;
  year: number;
}

type Offer = Book & { price: string; availability: string };

@Controller()
export class OffersController {
  constructor(
    @ServiceClient('inventory') private readonly inventory: HttpService,
    private readonly discovery: DiscoveryService,
    private readonly prices: Prices,
  ) {}

  @Get('books')
  async books(@Query('search') search = ''): Promise<{ answeredBy: string; offers: Offer[] }> {
    const response = await answer(this.inventory.get<Book[]>('/books', { params: search ? { search } : {} }));
    return { answeredBy: answeredBy(response), offers: response.data.map((book) => this.offer(book)) };
  }

  @Get('books/:id')
  async book(@Param('id') id: string): Promise<{ answeredBy: string; offer: Offer }> {
    const response = await answer(this.inventory.get<Book>(`/books/${encodeURIComponent(id)}`));
    return { answeredBy: answeredBy(response), offer: this.offer(response.data) };
  }

  /** The instances that serve the books now. */
  @Get('instances')
  async instances() {
    return this.discovery.getInstances('inventory');
  }

  private offer(book: Book): Offer {
    return { ...book, price: this.prices.price(book), availability: this.prices.availability(book) };
  }
}

/** A response of inventory; its 404 and 400 become the storefront's own. */
async function answer<T>(call: Observable<AxiosResponse<T>>): Promise<AxiosResponse<T>> {
  try {
    return await firstValueFrom(call);
  } catch (error) {
    if (isAxiosError(error)) {
      throw new HttpException(
        (error.response?.data as object | undefined) ?? error.message,
        error.response?.status ?? 503,
      );
    }
    throw error;
  }
}

function answeredBy(response: AxiosResponse): string {
  return response.call?.attempts.at(-1)?.instance ?? 'unknown';
}
