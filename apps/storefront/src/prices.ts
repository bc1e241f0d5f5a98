import { Injectable } from '@nestjs/common';
import { ConfigValue } from '@rookery/consul/config';

/** Prices and stock counts, derived from a book's id and year; the discount comes from the registry's keys. */
@Injectable()
export class Prices {
  @ConfigValue('discount')
  private readonly discount: number = 0;

  price(book: { id: number; year: number }): string {
    const euros = 7.9 + ((book.id * 13) % 18) + (book.year > 1990 ? 4 : 0);
    return `${(euros * (1 - this.discount / 100)).toFixed(2)} EUR`;
  }

  availability(book: { id: number }): string {
    const copies = (book.id * 7) % 6;
    return copies === 0 ? 'to be ordered' : `${copies} in stock`;
  }
}
