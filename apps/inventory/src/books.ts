import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { HealthContributor } from '@rookery/consul';
import { BOOKS } from './books.data.js';

export interface Book {
  id: number;
  title: string;
  author: string;
  year: number;
}

@Injectable()
export class Books {
  private readonly all: readonly Book[] = BOOKS.map(([title, author, year], index) => ({
    id: index + 1,
    title,
    author,
    year,
  }));

  constructor(private readonly indicators: HealthIndicatorService) {}

  list(offset: number, limit: number): readonly Book[] {
    return this.all.slice(offset, offset + limit);
  }

  search(words: string): readonly Book[] {
    const wanted = words.toLowerCase().split(/\s+/);
    return this.all.filter(({ title, author }) => {
      const text = `${title} ${author}`.toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
  }

  byId(id: number): Book | undefined {
    return this.all.find((book) => book.id === id);
  }

  @HealthContributor()
  stock() {
    const indicator = this.indicators.check('stock');
    return this.all.length > 0 ? indicator.up({ books: this.all.length }) : indicator.down('no books');
  }
}
