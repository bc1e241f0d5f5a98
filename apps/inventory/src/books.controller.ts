import {
  Controller,
  DefaultValuePipe,
  Get,
  NotFoundException,
  Param,
  ParseIntPipe,
  Query,
} from '@nestjs/common';
import { Books, type Book } from './books.js';

@Controller('books')
export class BooksController {
  constructor(private readonly books: Books) {}

  @Get()
  find(
    @Query('search') search: string | undefined,
    @Query('offset', new DefaultValuePipe(0), ParseIntPipe) offset: number,
    @Query('limit', new DefaultValuePipe(20), ParseIntPipe) limit: number,
  ): readonly Book[] {
    return search ? this.books.search(search) : this.books.list(offset, limit);
  }

  @Get(':id')
  one(@Param('id', ParseIntPipe) id: number): Book {
    const book = this.books.byId(id);
    if (!book) throw new NotFoundException(`there is no book ${id}`);
    return book;
  }
}
