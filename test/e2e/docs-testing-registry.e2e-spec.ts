import { describe } from '@jest/globals';
import { readPage, shownExamples } from '@rookery/test-support';
// testing.md: registry test
import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ConsulModule, DiscoveryService } from '@rookery/consul';
import { ServiceRegistry } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { expect, it } from '@jest/globals';

@Module({ imports: [ConsulModule.forRoot({ service: { name: 'shop' } })] })
class AppModule {}

it('finds the instances that the test lists', async () => {
  const registry = new InMemoryRegistry();
  registry.put({ service: 'inventory', port: 4000 });
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(ServiceRegistry)
    .useValue(registry)
    .compile();
  const app = await module.createNestApplication().init();
  expect(await app.get(DiscoveryService).getInstances('inventory')).toHaveLength(1);
  await app.close();
});
// testing.md: end

describe('the page', () => {
  it.each(shownExamples(import.meta.url))('shows this $name', ({ page, text }) => {
    expect(readPage(page)).toContain(text);
  });
});
