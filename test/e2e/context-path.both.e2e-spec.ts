import { Controller, Get, Req } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, DiscoveryService, RegistrationService, ServiceClientFactory } from '@rookery/consul';
import { startTestConsul, type TestConsul } from '@rookery/test-support';
import { createApp, PLATFORMS, rootModule } from './test-app.js';

@Controller('books')
class BooksController {
  @Get()
  list(@Req() { url }: { url: string }): string {
    return url;
  }
}

describe('a context path', () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());

  it.each(PLATFORMS)(
    'the global prefix of an app on %s is published, and used by option',
    async (platform) => {
      const name = `prefixed-${platform}`;
      const module = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name } });
      const { app } = await createApp(rootModule([module], { controllers: [BooksController] }), platform);
      app.setGlobalPrefix('api/v2/');
      await app.listen(0);
      await app.get(RegistrationService).whenRegistered();
      const [instance] = await app.get(DiscoveryService).getInstances(name);
      expect(instance?.meta.contextPath).toBe('/api/v2');
      const clients = app.get(ServiceClientFactory);
      const withPath = clients.create(name, { contextPath: true }).axiosRef;
      expect((await withPath.get('/books?page=1')).data).toBe('/api/v2/books?page=1');
      const without = clients.create(name).axiosRef;
      expect((await without.get('/api/v2/books')).data).toBe('/api/v2/books');
      expect((await without.get('/books', { call: { contextPath: true } })).data).toBe('/api/v2/books');
      await app.close();
    },
  );

  it('an instance without one is called as before', async () => {
    const name = 'unprefixed';
    const module = ConsulModule.forRoot({
      agent: { url: consul.url },
      service: { name },
      clients: { contextPath: true },
    });
    const { app } = await createApp(rootModule([module], { controllers: [BooksController] }));
    await app.listen(0);
    await app.get(RegistrationService).whenRegistered();
    const [instance] = await app.get(DiscoveryService).getInstances(name);
    expect(instance?.meta).not.toHaveProperty('contextPath');
    expect((await app.get(ServiceClientFactory).create(name).axiosRef.get('/books')).data).toBe('/books');
    await app.close();
  });
});
