import { HttpService } from '@nestjs/axios';
import { Controller, Get, HttpException, Param, Query } from '@nestjs/common';
import { DiscoveryService, ServiceClient } from '@rookery/consul';
import { isAxiosError, type AxiosResponse } from 'axios';
import { firstValueFrom, type Observable } from 'rxjs';
import { Prices } from './prices.js';
import { Ratings, type Rated } from './ratings.js';

interface Book {
  id: number;
  title: string;
  author: string;
  year: number;
}

/** Which instances have answered. */
interface Answer {
  answeredBy: string;
  ratedBy: string | undefined;
}

type Offer = Book & { price: string; availability: string; rating?: string };

@Controller()
export class OffersController {
  constructor(
    @ServiceClient('inventory') private readonly inventory: HttpService,
    private readonly discovery: DiscoveryService,
    private readonly prices: Prices,
    private readonly ratings: Ratings,
  ) {}

  @Get('books')
  async books(@Query('search') search = ''): Promise<Answer & { offers: Offer[] }> {
    const response = await answer(this.inventory.get<Book[]>('/books', { params: search ? { search } : {} }));
    const rated = await this.ratings.of(response.data.map(({ id }) => id));
    const offers = response.data.map((book) => this.offer(book, rated));
    return { answeredBy: answeredBy(response), ratedBy: rated.ratedBy, offers };
  }

  @Get('books/:id')
  async book(@Param('id') id: string): Promise<Answer & { offer: Offer }> {
    const response = await answer(this.inventory.get<Book>(`/books/${encodeURIComponent(id)}`));
    const rated = await this.ratings.of([response.data.id]);
    return {
      answeredBy: answeredBy(response),
      ratedBy: rated.ratedBy,
      offer: this.offer(response.data, rated),
    };
  }

  /** The instances that serve the books now, or those that rate them. */
  @Get('instances')
  async instances(@Query('service') service = 'inventory') {
    return this.discovery.getInstances(service === 'reviews' ? 'reviews' : 'inventory');
  }

  private offer(book: Book, { ratings }: Rated): Offer {
    const rating = ratings.get(book.id);
    return {
      ...book,
      price: this.prices.price(book),
      availability: this.prices.availability(book),
      ...(rating === undefined ? {} : { rating }),
    };
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
