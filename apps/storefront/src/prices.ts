import { Injectable } from '@nestjs/common';

/** Prices and stock counts, derived from a book's id and year. */
@Injectable()
export class Prices {
  price(book: { id: number; year: number }): string {
    const euros = 7 + ((book.id * 13) % 18) + (book.year > 1990 ? 4 : 0);
    return `${euros}.90 EUR`;
  }

  availability(book: { id: number }): string {
    const copies = (book.id * 7) % 6;
    return copies === 0 ? 'to be ordered' : `${copies} in stock`;
  }
}
