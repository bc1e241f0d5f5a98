import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Controller,
  Get as NestGet,
  Injectable,
  NotFoundException,
  Scope,
  Param as NestParam,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { getServiceClientToken, ServiceClient } from '@rookery/consul';
import {
  Body,
  call,
  call$,
  CallOptions,
  type DeclaredCallOptions,
  Delete,
  Get,
  Header,
  Param,
  Patch,
  Post,
  Put,
  Query,
} from '@rookery/consul/client';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import type { AxiosError } from 'axios';
import { firstValueFrom, of, type Observable } from 'rxjs';
import { z } from 'zod';

const book = z.object({ id: z.string(), title: z.string().transform((title) => title.toUpperCase()) });
type Book = z.infer<typeof book>;

/** What the controller of the provider and the client of its consumer have in common. */
interface BooksApi {
  find(id: string): Promise<Book>;
}

@ServiceClient('books', { retries: 0 })
class Books implements BooksApi {
  @Get('/books/:id', { response: book })
  find(@Param('id') id: string): Promise<Book> {
    return call(id);
  }

  @Get('books/:id/pages/:page')
  page(@Param('page') page: number, @Param('id') id: string): Promise<unknown> {
    return call(page, id);
  }

  @Get('/search')
  search(@Query() filter: object, @Query('page') page?: number): Promise<unknown> {
    return call(filter, page);
  }

  @Post('/books', { config: { headers: { 'x-fixed': 'yes' } } })
  add(@Body() added: object, @Header('x-tenant') tenant?: string, @Header() more?: object): Promise<unknown> {
    return call(added, tenant, more);
  }

  @Put('/books/:id')
  rename(@Param('id') id: string, @Body('title') title: string, @Body('by') by?: string): Promise<unknown> {
    return call(id, title, by);
  }

  @Patch('/books')
  patch(@Body() change: object): Promise<unknown> {
    return call(change);
  }

  @Delete('/books/:id')
  remove(@Param('id') id: string): Promise<unknown> {
    return call(id);
  }

  @Delete('/books')
  removeAll(@Body() which: object): Promise<unknown> {
    return call(which);
  }

  @Get('/books/:id')
  observe(@Param('id') id: string): Observable<Book> {
    return call$(id);
  }

  @Get('/silent')
  silent(): Observable<unknown> {
    return call$();
  }

  @Get('/missing', { errors: { 404: (cause) => new NotFoundException('no such book', { cause }) } })
  missing(): Promise<unknown> {
    return call();
  }

  @Get('/broken/:id', { response: book, fallback: 'unknown' })
  broken(@Param('id') id: string): Promise<unknown> {
    return call(id);
  }

  @Get('/books/:id', { response: z.object({ pages: z.number(), id: z.number() }) })
  asAnother(@Param('id') id: string): Promise<unknown> {
    return call(id);
  }

  @Get('/books/:id', { response: z.object({ pages: z.number() }), fallback: 'unknown' })
  asAnotherWithFallback(@Param('id') id: string): Promise<unknown> {
    return call(id);
  }

  @Get('/books/:id?full=1')
  full(@Param('id') id: string): Promise<unknown> {
    return call(id);
  }

  @Get('/broken/:id', { fallback: 'refuse', config: { validateStatus: (status) => status === 201 } })
  refused(@Param('id') id: string): Promise<unknown> {
    return call(id);
  }

  refuse(_: Error, id: string): string {
    if (id === 'text') return '42';
    throw new NotFoundException('of the fallback');
  }

  async unknown(error: Error, id: string): Promise<unknown> {
    return { id, reason: (error as AxiosError).response?.status ?? error.message };
  }

  @CallOptions({ timeout: '80ms' })
  @Get('/silent')
  hasty(): Promise<unknown> {
    return call();
  }

  @Get('/silent')
  optioned(@CallOptions() options?: DeclaredCallOptions): Promise<unknown> {
    return call(options);
  }

  @Get('/books/:id')
  async trimmed(@Param('id') id: string): Promise<string> {
    const { title } = await call<Book>(id.trim());
    return title;
  }

  @Get('/books/:id')
  late(@Param('id') id: string): Promise<unknown> {
    return Promise.resolve().then(() => call(id));
  }
}

@ServiceClient('books')
class Slow extends Books {
  @Get('/sub/:id', { response: book })
  override find(@Param('id') id: string): Promise<Book> {
    return id === 'super' ? super.find(id) : call(id);
  }

  @Get('/slow/:id/:page')
  override page(@Param('page') page: number, @Param('id') id: string): Promise<unknown> {
    return call(page, id);
  }
}

@ServiceClient('books')
@Injectable({ scope: Scope.TRANSIENT })
class Transient {
  @Get('/books')
  all(): Promise<unknown> {
    return call();
  }
}

/** A class with a constructor: it is listed in a module. */
@Injectable()
class Tenant {
  readonly name = 'acme';
}

@ServiceClient('books')
class TenantBooks {
  constructor(private readonly tenant: Tenant) {}

  @Post('/books')
  add(@Body() title: string, @Header('x-tenant') _?: string): Promise<unknown> {
    return call(title, this.tenant.name);
  }
}

@ServiceClient('books')
class InheritedTenantBooks extends TenantBooks {}

@Controller('books')
class BooksController implements BooksApi {
  @NestGet(':id')
  async find(@NestParam('id') id: string): Promise<Book> {
    return { id, title: 'Dune' };
  }
}

@Injectable()
class Shop {
  constructor(
    readonly books: Books,
    readonly slow: Slow,
  ) {}
}

describe('a declarative client', () => {
  let server: Server;
  let requests: { line: string; body: string; headers: IncomingMessage['headers'] }[];
  let registry: InMemoryRegistry;
  let shop: Shop;
  let close: () => Promise<void>;

  const start = async (overriding?: { token: unknown; by: object }) => {
    const building = Test.createTestingModule({
      imports: [DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) })],
      providers: [Shop, Tenant, TenantBooks, InheritedTenantBooks],
    });
    if (overriding) building.overrideProvider(overriding.token).useValue(overriding.by);
    return building.compile();
  };

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { method, url = '', headers } = request;
        requests.push({ line: `${method} ${url}`, body, headers });
        if (url.startsWith('/silent')) return;
        response.statusCode = url.startsWith('/missing') ? 404 : url.startsWith('/broken') ? 500 : 200;
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ id: decodeURIComponent(url.split('/').at(-1) ?? ''), title: 'Dune' }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    registry = new InMemoryRegistry();
    registry.put({ service: 'books', address: '127.0.0.1', port: (server.address() as AddressInfo).port });
    const module = await start();
    shop = module.get(Shop);
    close = () => module.close();
  });
  beforeEach(() => {
    requests = [];
  });
  afterAll(async () => {
    await close();
    server.closeAllConnections();
    server.close();
  });

  const lines = (): string[] => requests.map(({ line, body }) => `${line} ${body}`.trim());

  it('is provided without an entry in providers, and its methods make requests', async () => {
    await shop.books.find('7');
    await shop.books.page(2, 'a/b c?ü');
    await shop.books.search({ by: 'Herbert', page: 1 }, 2);
    await shop.books.search({ by: 'Herbert' });
    await shop.books.add({ title: 'Dune' });
    await shop.books.rename('7', 'Emma');
    await shop.books.patch({ title: 'Emma' });
    await shop.books.remove('7');
    await shop.books.removeAll({ all: true });
    expect(lines()).toEqual([
      'GET /books/7',
      'GET /books/a%2Fb%20c%3F%C3%BC/pages/2',
      'GET /search?by=Herbert&page=2',
      'GET /search?by=Herbert',
      'POST /books {"title":"Dune"}',
      'PUT /books/7 {"title":"Emma"}',
      'PATCH /books {"title":"Emma"}',
      'DELETE /books/7',
      'DELETE /books {"all":true}',
    ]);
  });

  it('sends headers: fixed ones, named ones, and an object of them', async () => {
    await shop.books.add({}, 'acme', { 'x-more': '1' });
    expect(requests[0]?.headers).toMatchObject({ 'x-fixed': 'yes', 'x-tenant': 'acme', 'x-more': '1' });
    await shop.books.add({});
    expect(requests[1]?.headers).not.toHaveProperty('x-tenant');
  });

  it('returns what the schema makes of the data, and says what is not as declared, without its values', async () => {
    expect(await shop.books.find('7')).toEqual({ id: '7', title: 'DUNE' });
    const error = await shop.books.asAnother('7').catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ name: 'DiscoveryError', code: 'RK_INVALID_RESPONSE' });
    expect((error as Error).message).toMatch(
      /^Books\.asAnother: the response of GET \/books\/:id from .+ is not as declared: pages: .+; id: /,
    );
    expect((error as Error).message).not.toContain('Dune');
  });

  it('returns an Observable, which cancels its request when it is unsubscribed', async () => {
    const observable = shop.books.observe('7');
    expect(lines()).toEqual([]);
    expect(await firstValueFrom(observable)).toEqual({ id: '7', title: 'Dune' });
    expect(await firstValueFrom(observable)).toEqual({ id: '7', title: 'Dune' });
    expect(requests).toHaveLength(2);
    const arrived = new Promise<IncomingMessage>((resolve) => server.once('request', resolve));
    const subscription = shop.books.silent().subscribe();
    const gone = (await arrived).socket;
    const closed = new Promise((resolve) => gone.once('close', resolve));
    subscription.unsubscribe();
    await closed;
  });

  it('throws the AxiosError of the call, or the error that is declared for its status', async () => {
    await expect(shop.books.missing()).rejects.toBeInstanceOf(NotFoundException);
    await expect(shop.books.hasty()).rejects.toMatchObject({
      isAxiosError: true,
      call: { service: 'books' },
    });
  });

  it('has the result of its fallback method when the call failed, or the data is not as declared', async () => {
    expect(await shop.books.broken('7')).toEqual({ id: '7', reason: 500 });
    expect(await shop.books.asAnotherWithFallback('8')).toMatchObject({
      id: '8',
      reason: expect.stringContaining('is not as declared') as unknown,
    });
  });

  it('has what its fallback returns or throws, as it is', async () => {
    expect(await shop.books.refused('text')).toBe('42');
    await expect(shop.books.refused('7')).rejects.toMatchObject({ message: 'of the fallback', status: 404 });
  });

  it('takes options of one call, and a signal', async () => {
    await expect(shop.books.optioned({ timeout: '50ms' })).rejects.toMatchObject({ code: 'ECONNABORTED' });
    const aborting = new AbortController();
    const calling = shop.books.optioned({ signal: aborting.signal });
    aborting.abort();
    await expect(calling).rejects.toMatchObject({ code: 'ERR_CANCELED' });
  });

  it('may prepare its arguments and use the data', async () => {
    expect(await shop.books.trimmed(' 7 ')).toBe('Dune');
    expect(lines()).toEqual(['GET /books/7']);
  });

  it('is inherited, and overridden', async () => {
    await shop.slow.find('7');
    await shop.slow.page(1, '8');
    await shop.slow.find('super');
    expect(lines()).toEqual(['GET /sub/7', 'GET /slow/8/1', 'GET /books/super']);
  });

  it('with a constructor is listed in a module', async () => {
    const module = await start();
    await module.get(TenantBooks).add('Emma');
    expect(requests[0]).toMatchObject({ line: 'POST /books', headers: { 'x-tenant': 'acme' } });
    await module.get(InheritedTenantBooks).add('Emma');
    expect(requests[1]).toMatchObject({ headers: { 'x-tenant': 'acme' } });
    const transient = await module.resolve(Transient);
    expect(transient).not.toBe(await module.resolve(Transient));
    await module.close();
  });

  it('is replaced in a test as a class, or by the client that it uses', async () => {
    const asClass = await start({ token: Books, by: { find: () => 'mine' } });
    expect(asClass.get(Shop).books.find('7')).toBe('mine');
    await asClass.close();
    const get = (url: string) => of({ data: { id: url, title: 'mocked' } });
    const asClient = await start({ token: getServiceClientToken('books'), by: { get } });
    expect(await asClient.get(Shop).books.find('7')).toEqual({ id: '/books/7', title: 'MOCKED' });
    await expect(asClient.get(Shop).books.add({})).rejects.toThrow(
      'Books.add: what replaces the client has no method post',
    );
    await asClient.close();
  });

  it('shares an interface with the controller of the provider', async () => {
    const controller: BooksApi = new BooksController();
    expect(await controller.find('7')).toMatchObject({ id: '7' });
  });

  it.each([[''], ['..'], ['.'], [undefined], [null], [{}], [['a']], ['\ud800'], [NaN], [new Date(NaN)]])(
    'refuses %j as a part of a path',
    async (value) => {
      await expect(shop.books.find(value as never)).rejects.toMatchObject({
        code: 'RK_INVALID_ARGUMENT',
        message: expect.stringMatching(
          /^Books\.find: id = .* cannot be a part of the path \/books\/:id\. Give/,
        ) as unknown,
      });
      await expect(shop.books.full(value as never)).rejects.toMatchObject({ code: 'RK_INVALID_ARGUMENT' });
      expect(requests).toEqual([]);
    },
  );

  it('says where call() belongs', async () => {
    await expect(shop.books.late('7')).rejects.toThrow(
      /call\(\) was called outside of a method .* before their first await/,
    );
    expect(() => new Books().find('7')).toThrow(/Books\.find: this object has no client\. Inject it/);
  });
});

describe('mistakes in a declarative client stop the app when the class is loaded', () => {
  const returned = (): Promise<unknown> => call();

  it.each<[string, () => unknown, RegExp]>([
    [
      'a part of the path without a parameter',
      () => {
        @ServiceClient('books')
        class Wrong {
          @Get('/books/:id')
          find(): Promise<unknown> {
            return returned();
          }
        }
        return Wrong;
      },
      /@ServiceClient\('books'\) on the class Wrong:\n {2}- Wrong\.find path "\/books\/:id": no parameter has @Param\('id'\) of "@rookery\/consul\/client" for :id/,
    ],
    [
      'a parameter without a part of the path, and another that is there twice',
      () => {
        @ServiceClient('books')
        class Wrong {
          @Get('/books')
          find(
            @Param('id') _a: string,
            @Query('page') _b: string,
            @Query('page') _c: string,
          ): Promise<unknown> {
            return returned();
          }
        }
        return Wrong;
      },
      /Wrong\.find parameter 1: @Param\('id'\) is not in the path "\/books"\n.*Wrong\.find @Query\('page'\) is there twice/,
    ],
    [
      'two methods of HTTP',
      () => {
        @ServiceClient('books')
        class Wrong {
          @Get('/a')
          @Post('/b')
          find(): Promise<unknown> {
            return returned();
          }
        }
        return Wrong;
      },
      /Wrong\.find has several of @Get, @Post/,
    ],
    [
      'a body of a GET request, and a wildcard',
      () => {
        @ServiceClient('books')
        class Wrong {
          @Get('/*all')
          find(@Body() _: object): Promise<unknown> {
            return returned();
          }
        }
        return Wrong;
      },
      /no wildcards.*\n.*Wrong\.find has a @Body, and a GET request has none/,
    ],
    [
      'wrong options',
      () => {
        @ServiceClient('books')
        class Wrong {
          @CallOptions({ timeout: 'soon' })
          @Get('/a', {
            fallback: 'none',
            response: {} as never,
            errors: { 99: 1 as never },
            timeout: 1,
          } as object)
          find(): Promise<unknown> {
            return returned();
          }
        }
        return Wrong;
      },
      /option timeout: is unknown.*\n.*option response: must be a Standard Schema.*\n.*the class has no method "none"\n.*errors\[99\].*\n.*@CallOptions timeout = "soon": must be a duration/,
    ],
    [
      'two decorators on one parameter, a whole body beside a part of it, a host',
      () => {
        @ServiceClient('books')
        class Wrong {
          @Post('http://host/a')
          find(
            @Query('a') @Header('a') _a: string,
            @Body() _b: object,
            @Body('c') _c: string,
          ): Promise<unknown> {
            return returned();
          }
        }
        return Wrong;
      },
      /must not have a host.*\n.*cannot stand beside.*\n.*parameter 1: has @Header and @Query/,
    ],
    [
      'parameters without a method of HTTP',
      () => {
        @ServiceClient('books')
        class Wrong {
          @Get()
          right(): Promise<unknown> {
            return returned();
          }
          find(@Query('a') _a: string): Promise<unknown> {
            return returned();
          }
        }
        return Wrong;
      },
      /Wrong\.find has decorated parameters or @CallOptions, and no @Get/,
    ],
    [
      "decorators of Nest's controllers",
      () => {
        @ServiceClient('books')
        class Wrong {
          @NestGet('/books')
          find(): Promise<unknown> {
            return returned();
          }
        }
        return Wrong;
      },
      /no method has @Get, .* of "@rookery\/consul\/client": those of Nest are for controllers/,
    ],
  ])('%s', (_, load, message) => {
    expect(load).toThrow(message);
  });
});
