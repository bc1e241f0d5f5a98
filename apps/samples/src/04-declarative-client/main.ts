import 'reflect-metadata';
import { Controller, Get, Module, NotFoundException, Param, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulModule, ServiceClient } from '@rookery/consul';
import { call, Get as GetFrom, Param as InPath, Query as InQuery } from '@rookery/consul/client';
import { z } from 'zod';

const book = z.object({ id: z.string(), title: z.string() });
type Book = z.infer<typeof book>;

/** Calls "books". Inject it: it needs no entry in `providers`. */
@ServiceClient('books', { timeout: '2s' })
class BooksClient {
  @GetFrom('/catalogue/:id', {
    response: book,
    errors: { 404: (cause) => new NotFoundException('no such book', { cause }) },
  })
  find(@InPath('id') id: string): Promise<Book> {
    return call(id);
  }

  @GetFrom('/catalogue', { response: z.array(book) })
  search(@InQuery('title') title: string): Promise<Book[]> {
    return call(title);
  }
}

const CATALOGUE: readonly Book[] = [
  { id: '1', title: 'Dune' },
  { id: '2', title: 'Emma' },
];

/** What is called: here it is the same app. */
@Controller('catalogue')
class CatalogueController {
  @Get(':id')
  find(@Param('id') id: string): Book {
    const found = CATALOGUE.find((each) => each.id === id);
    if (!found) throw new NotFoundException();
    return found;
  }

  @Get()
  search(@Query('title') title = ''): readonly Book[] {
    return CATALOGUE.filter((each) => each.title.toLowerCase().includes(title));
  }
}

@Controller('shop')
class ShopController {
  constructor(private readonly books: BooksClient) {}

  @Get('search')
  search(@Query('title') title: string): Promise<Book[]> {
    return this.books.search(title);
  }

  @Get(':id')
  find(@Param('id') id: string): Promise<Book> {
    return this.books.find(id);
  }
}

@Module({
  imports: [ConsulModule.forRoot({ service: { name: 'books' } })],
  controllers: [CatalogueController, ShopController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
console.log(`listening at ${await app.getUrl()}`);
