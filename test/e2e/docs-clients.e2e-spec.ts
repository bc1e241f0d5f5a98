import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
// declarative-clients.md: declarative
// inventory.client.ts
import { NotFoundException } from '@nestjs/common';
import { ServiceClient } from '@rookery/consul';
import { Body, call, CallOptions, Get, Header, Param, Post, Query } from '@rookery/consul/client';
import { z } from 'zod';

const book = z.object({ id: z.string(), title: z.string() });
type Book = z.infer<typeof book>;

@ServiceClient('inventory', { timeout: '2s' })
class InventoryClient {
  @Get('/books/:id', {
    response: book, // a Standard Schema: what is not as declared is an error, RK_INVALID_RESPONSE
    errors: { 404: (cause) => new NotFoundException('no such book', { cause }) },
  })
  find(@Param('id') id: string): Promise<Book> {
    return call(id); // call$(id) returns an Observable
  }

  @Get('/books', { fallback: 'none' })
  search(@Query() filter: { title?: string }): Promise<Book[]> {
    return call(filter);
  }

  none(_error: Error): Book[] {
    return [];
  }

  @CallOptions({ idempotent: true })
  @Post('/books')
  add(@Body() added: Book, @Header('x-tenant') tenant: string): Promise<Book> {
    return call(added, tenant);
  }
}
// declarative-clients.md: end
import { Controller, Get as NestGet } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, discoveryDispatcher, discoveryFetch, DiscoveryService } from '@rookery/consul';
import { readPage, shownExamples, startTestConsul, type TestConsul } from '@rookery/test-support';
import { rootModule, startApp, type TestApp } from './test-app.js';

/** The pages show what runs here: the text between the marks must occur in them word for word. */
describe('the clients that the documentation shows', () => {
  let consul: TestConsul;
  let peer: Server;
  let started: TestApp;
  let tenant: string | undefined;

  @Controller()
  class Shop {
    constructor(
      private readonly inventory: InventoryClient,
      private readonly discovery: DiscoveryService,
    ) {}

    @NestGet('found')
    found() {
      return this.inventory.find('7');
    }

    @NestGet('missing')
    missing() {
      return this.inventory.find('8');
    }

    @NestGet('searched')
    searched() {
      return this.inventory.search({ title: 'Dune' });
    }

    @NestGet('added')
    added() {
      return this.inventory.add({ id: '9', title: 'Emma' }, 'acme');
    }

    @NestGet('fetched')
    async fetched() {
      const { discovery } = this;
      // clients.md: fetch
      const dispatcher = discoveryDispatcher(discovery, { timeout: '2s' });
      const response = await fetch('http://inventory.service/books', { dispatcher });
      const same = await discoveryFetch(discovery, { timeout: '2s' })('http://inventory.service/books'); // where TypeScript knows no `dispatcher`, as in the tsconfig of nest new
      // clients.md: end
      return [response.status, same.status];
    }
  }

  beforeAll(async () => {
    peer = createServer((request, response) => {
      tenant = request.headers['x-tenant'] as string | undefined;
      response.statusCode =
        request.url === '/books/7'
          ? 200
          : request.url === '/books/8'
            ? 404
            : request.method === 'POST'
              ? 201
              : 500;
      response.setHeader('content-type', 'application/json');
      response.end('{"id":"7","title":"Dune"}');
    });
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    consul = await startTestConsul();
    process.env.CONSUL_HTTP_ADDR = consul.url;
    await consul.request('PUT', '/v1/agent/service/register', {
      Name: 'inventory',
      Address: '127.0.0.1',
      Port: (peer.address() as AddressInfo).port,
    });
    // clients.md: context
    const module = ConsulModule.forRoot({
      context: { traceContext: true, requestId: 'x-request-id', headers: ['x-tenant'] },
    });
    // clients.md: end
    started = await startApp(rootModule([module], { controllers: [Shop] }));
  });
  afterAll(async () => {
    await started.app.close();
    delete process.env.CONSUL_HTTP_ADDR;
    await consul.stop();
    peer.closeAllConnections();
    peer.close();
  });

  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`${started.url}${path}`, { headers: { 'x-tenant': 'of the request' } });
    return [response.status, await response.json()];
  };

  it('do what it says', async () => {
    expect(await get('/found')).toEqual([200, { id: '7', title: 'Dune' }]);
    expect(tenant).toBe('of the request');
    expect(await get('/missing')).toMatchObject([404, { message: 'no such book' }]);
    expect(await get('/searched')).toEqual([200, []]);
    expect(await get('/added')).toEqual([200, { id: '7', title: 'Dune' }]);
    expect(tenant).toBe('acme');
    expect(await get('/fetched')).toEqual([200, [500, 500]]);
  });

  it.each(shownExamples(import.meta.url))(
    'are on their page, word for word: $page, $name',
    ({ page, text }) => {
      const shown = text.replace('const module = ', '').replace('\nclass', '\nexport class');
      expect(readPage(page)).toContain(shown);
    },
  );
});
