import { eventually, readPage, shownExamples } from '@rookery/test-support';
// errors.md: filter
// upstream.filter.ts
import { type ArgumentsHost, BadGatewayException, Catch, ServiceUnavailableException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { AxiosError } from 'axios';

/** 503 where a service could not be reached, 502 where it answered with an error that nothing else has handled. */
@Catch(AxiosError)
class UpstreamFilter extends BaseExceptionFilter {
  override catch(error: AxiosError, host: ArgumentsHost): void {
    const isAway = error.response === undefined;
    super.catch(isAway ? new ServiceUnavailableException() : new BadGatewayException(), host);
  }
}
// errors.md: end
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpService } from '@nestjs/axios';
import { Controller, Get } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ServiceClient } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { rootModule, startApp, type TestApp } from './test-app.js';

@Controller()
class ShopController {
  constructor(@ServiceClient('inventory') private readonly inventory: HttpService) {}

  @Get('books')
  async books(): Promise<unknown> {
    return (await this.inventory.axiosRef.get<unknown>('/books')).data;
  }
}

describe('the page on errors', () => {
  const registry = new InMemoryRegistry();
  let shop: TestApp;
  let inventory: Server;
  let status = 200;

  beforeAll(async () => {
    inventory = createServer((_, response) => response.writeHead(status).end('{}'));
    await new Promise<void>((resolve) => inventory.listen(0, '127.0.0.1', resolve));
    const imports = [DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) })];
    const providers = [{ provide: APP_FILTER, useClass: UpstreamFilter }];
    shop = await startApp(rootModule(imports, { providers, controllers: [ShopController] }));
  });
  afterAll(async () => {
    await shop.app.close();
    inventory.close().closeAllConnections();
  });

  it('shows a filter that says whose failure it is', async () => {
    const answered = async (): Promise<number> => (await fetch(`${shop.url}/books`)).status;
    expect(await answered()).toBe(503);
    registry.put({ service: 'inventory', port: (inventory.address() as AddressInfo).port });
    await eventually(async () => (await answered()) === 200);
    status = 500;
    expect(await answered()).toBe(502);
  });

  it.each(shownExamples(import.meta.url))('has it word for word: $name', ({ page, text }) => {
    expect(readPage(page)).toContain(text);
  });
});
