/**
 * What a user adds to an app of `nest new`: a service client with its error, a health contributor, and tests.
 *
 * @param extension of relative imports: `.js` where the app is ESM
 */
export function libraryApp(extension: '' | '.js'): Readonly<Record<string, string>> {
  return {
    'src/books.service.ts': `
import { HttpService } from '@nestjs/axios';
import { Injectable } from '@nestjs/common';
import { callReportOf, ServiceClient } from '@rookery/consul';
import { firstValueFrom } from 'rxjs';

@Injectable()
export class BooksService {
  constructor(@ServiceClient('library') private readonly library: HttpService) {}

  async list(): Promise<{ books: string[]; attempts: number }> {
    const response = await firstValueFrom(this.library.get<string[]>('/books', { call: { retries: 2 } }));
    return { books: response.data, attempts: response.call?.attempts.length ?? 0 };
  }

  async missing(): Promise<unknown> {
    return this.library.axiosRef.get('/none');
  }

  async attemptsOfMissing(): Promise<number | undefined> {
    return this.missing().then(
      () => undefined,
      (error: unknown) => callReportOf(error)?.attempts.length,
    );
  }
}
`,
    'src/library.client.ts': `
import { discoveryFetch, DiscoveryService, ServiceClient } from '@rookery/consul';
import { call, Get, Query } from '@rookery/consul/client';

@ServiceClient('library')
export class LibraryClient {
  @Get('/books')
  books(@Query('q') q?: string): Promise<string[]> {
    return call(q);
  }
}

export async function fetchBooks(discovery: DiscoveryService): Promise<unknown> {
  const response = await discoveryFetch(discovery)('http://library.service/books');
  return response.json();
}
`,
    'src/on-etcd.ts': `
import { DiscoveryError, EtcdClient, EtcdModule, type EtcdModuleOptions } from '@rookery/etcd';
import { etcdConfig } from '@rookery/etcd/config';

const options: EtcdModuleOptions = { endpoints: 'http://127.0.0.1:1', service: { name: 'library' } };
export const module = EtcdModule.forRoot(options);
export const settings = etcdConfig({ name: 'library' });

const { kv } = EtcdClient.create({ endpoints: 'http://127.0.0.1:1' }, {});
kv.get('books').catch((error: unknown) => {
  console.log(error instanceof DiscoveryError ? error.code : error);
  process.exit();
});
`,
    'src/settings.ts': `
import { consulConfig } from '@rookery/consul/config';

class Settings {
  title = 'untitled';
}

const validate = (value: unknown) => ({ value: { ...new Settings(), ...(value as Partial<Settings>) } });

export const settings = consulConfig({
  name: 'library',
  registerAs: 'library',
  format: 'yaml',
  schema: {
    '~standard': { version: 1, vendor: 'own', validate, types: undefined as { output: Settings } | undefined },
  },
});
`,
    'src/app.module.ts': `
import { ArgumentsHost, Catch, Controller, ExceptionFilter, Get, Inject, Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import type { ConfigType } from '@nestjs/config';
import { APP_FILTER } from '@nestjs/core';
import { HealthIndicatorService } from '@nestjs/terminus';
import { AlertsModule, ConsulModule, DiscoveryService, HealthContributor, OnDiscoveryEvent } from '@rookery/consul';
import type { EventOf } from '@rookery/consul';
import { ConfigValue } from '@rookery/consul/config';
import { DashboardModule } from '@rookery/dashboard';
import { AxiosError } from 'axios';
import { AppController } from './app.controller${extension}';
import { AppService } from './app.service${extension}';
import { BooksService } from './books.service${extension}';
import { fetchBooks, LibraryClient } from './library.client${extension}';
import { settings } from './settings${extension}';

interface Answer {
  status(code: number): { json(body: unknown): void };
}

@Catch(AxiosError)
class UpstreamFilter implements ExceptionFilter<AxiosError> {
  catch(error: AxiosError, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<Answer>().status(502).json({ upstream: error.response?.status });
  }
}

@Injectable()
class Disk {
  constructor(private readonly indicators: HealthIndicatorService) {}
  @HealthContributor()
  disk() {
    return this.indicators.check('disk').up();
  }
  @OnDiscoveryEvent('instance.ejected', 'lock.*')
  onEvent(event: EventOf<'instance.ejected' | 'lock.*'>): string {
    return event.type === 'instance.ejected' ? event.service : event.key;
  }
}

@Controller()
class BooksController {
  @ConfigValue('library.title')
  private readonly title: string = '';

  constructor(
    @Inject(settings.KEY) private readonly values: ConfigType<typeof settings>,
    private readonly config: ConfigService,
    private readonly service: BooksService,
    private readonly client: LibraryClient,
    private readonly discovery: DiscoveryService,
  ) {}
  @Get('declared')
  async declared() {
    return [await this.client.books('all'), await fetchBooks(this.discovery)];
  }
  @Get('title')
  titles() {
    const injected: string = this.values.title;
    return [this.title, injected, this.config.get<string>('library.title')];
  }
  @Get('catalog')
  list() {
    return this.service.list();
  }
  @Get('missing')
  missing() {
    return this.service.missing();
  }
  @Get('attempts')
  attempts() {
    return this.service.attemptsOfMissing();
  }
  @Get('pid')
  pid() {
    return String(process.pid);
  }
  @Get('slow')
  slow() {
    return new Promise((resolve) => setTimeout(resolve, 60_000));
  }
  @Get('books')
  books() {
    return ['Dune'];
  }
}

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, load: [settings] }),
    ConsulModule.forRoot({ service: { name: 'library', check: { type: 'ttl', heartbeat: 'worker-thread' } } }),
    DashboardModule.forRoot(),
    AlertsModule.forRoot({ rules: [{ type: 'instances', service: 'archive' }] }),
  ],
  controllers: [AppController, BooksController],
  providers: [AppService, BooksService, Disk, { provide: APP_FILTER, useClass: UpstreamFilter }],
})
export class AppModule {}
`,
    'src/books.service.spec.ts': `
import { Test } from '@nestjs/testing';
import { getServiceClientToken } from '@rookery/consul';
import { of } from 'rxjs';
import { AppModule } from './app.module${extension}';
import { BooksService } from './books.service${extension}';

describe('BooksService', () => {
  it('lists the books of a client that the test replaced', async () => {
    const app = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(getServiceClientToken('library'))
      .useValue({ get: () => of({ data: ['Emma'] }) })
      .compile();
    expect((await app.get(BooksService).list()).books).toEqual(['Emma']);
    await app.close();
  });
});
`,
    'test/books.e2e-spec.ts': `
import { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { RegistrationService } from '@rookery/consul';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import request from 'supertest';
import { App } from 'supertest/types${extension}';
import { AppModule } from './../src/app.module${extension}';

describe('books (e2e)', () => {
  let consul: EmbeddedConsul;
  let app: INestApplication<App>;
  beforeAll(async () => {
    consul = await EmbeddedConsul.start();
    process.env.CONSUL_HTTP_ADDR = consul.url;
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication();
    await app.listen(0);
    await app.get(RegistrationService).whenRegistered();
  });
  afterAll(async () => {
    await app.close();
    await consul.stop();
  });

  it('calls through Consul, and an error of the client is an AxiosError', async () => {
    await request(app.getHttpServer()).get('/catalog').expect(200).expect({ books: ['Dune'], attempts: 1 });
    await request(app.getHttpServer()).get('/declared').expect(200).expect([['Dune'], ['Dune']]);
    await request(app.getHttpServer()).get('/missing').expect(502).expect({ upstream: 404 });
    await request(app.getHttpServer()).get('/attempts').expect('1');
    await request(app.getHttpServer()).get('/health').expect(200);
  });
});
`,
  };
}
