/* eslint-disable jest/no-export -- the documentation shows these files as they are */
// configuration.md: settings
// settings.ts
import { consulConfig } from '@rookery/consul/config';
import { z } from 'zod';

const limits = z.object({ rate: z.number().positive(), burst: z.number().default(10) });
export type Limits = z.infer<typeof limits>;

export const settings = consulConfig({
  name: 'inventory',
  profiles: [process.env.NODE_ENV ?? 'development'],
  defaults: { limits: { rate: 100 } },
  schema: z.object({ limits, title: z.string().optional() }),
});
// configuration.md: end
// configuration.md: values
// limiter.ts
import { Injectable } from '@nestjs/common';
import { ConfigValue, ConsulConfig, OnConfigChange } from '@rookery/consul/config';

@Injectable()
export class Limiter {
  // An ordinary property, set before onModuleInit and with every change; 100 while there is no value.
  @ConfigValue('limits.rate')
  private readonly rate: number = 100;

  constructor(config: ConsulConfig) {
    // The value now, and each later one.
    config.watch<string>('title').subscribe((title) => console.log(`the title is ${title}`));
  }

  allows(requests: number): boolean {
    return requests <= this.rate;
  }

  @OnConfigChange('limits')
  resize(limits: Limits): void {
    console.log(`now ${limits.rate} requests and ${limits.burst} more`);
  }
}
// configuration.md: end
// configuration.md: config module
// app.module.ts
import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { ConsulModule } from '@rookery/consul';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, load: [settings] }),
    ConsulModule.forRoot({ service: { name: 'inventory' } }),
  ],
  providers: [Limiter],
})
export class AppModule {}
// configuration.md: end
import { ConfigService } from '@nestjs/config';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { OpenFeature } from '@openfeature/server-sdk';
import { ConsulKv, jsonCodec } from '@rookery/consul';
import { ConsulFlagProvider } from '@rookery/consul/openfeature';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { eventually, readPage, shownExamples } from '@rookery/test-support';
import { missingOptions } from './documented-options.js';
import { startApp, type TestApp } from './test-app.js';

describe('the live configuration that the documentation shows', () => {
  let consul: EmbeddedConsul;
  let started: TestApp;
  const put = (key: string, value: string) =>
    fetch(`${consul.url}/v1/kv/${key}`, { method: 'PUT', body: value });
  const log = jest.spyOn(console, 'log').mockImplementation(() => undefined);

  beforeAll(async () => {
    consul = await EmbeddedConsul.start();
    process.env.CONSUL_HTTP_ADDR = consul.url;
    await put('config/inventory/limits/rate', '5');
    await put('config/inventory/title', 'Books');
    started = await startApp(AppModule);
  });
  afterAll(async () => {
    await OpenFeature.close();
    await started.app.close();
    await consul.stop();
    delete process.env.CONSUL_HTTP_ADDR;
    log.mockRestore();
  });

  it('follows Consul', async () => {
    const { app } = started;
    const limiter = app.get(Limiter);
    expect([limiter.allows(5), limiter.allows(6)]).toEqual([true, false]);
    await put('config/inventory,test/limits/rate', '7');
    await eventually(() => limiter.allows(7));
    expect(app.get(ConfigService).get('limits')).toEqual({ rate: 7, burst: 10 });
    expect(log.mock.calls).toEqual([['the title is Books'], ['now 7 requests and 10 more']]);
  });

  it('explains', () => {
    const config = started.app.get(ConsulConfig);
    // configuration.md: explain
    const { origins } = config.explain('limits.rate');
    // [{ path: 'limits.rate', value: 7, key: 'config/inventory,test/limits/rate',
    //    overrides: [{ key: 'config/inventory/limits/rate', value: 5 }, { key: 'defaults', value: 100 }] }]
    // configuration.md: end
    expect(origins).toEqual([
      {
        path: 'limits.rate',
        value: 7,
        key: 'config/inventory,test/limits/rate',
        overrides: [
          { key: 'config/inventory/limits/rate', value: 5 },
          { key: 'defaults', value: 100 },
        ],
      },
    ]);
  });

  it('evaluates flags', async () => {
    const { app } = started;
    const user = { id: 'alice' };
    // configuration.md: flags
    await OpenFeature.setProviderAndWait(new ConsulFlagProvider(app.get(ConsulConfig)));
    const isOn = await OpenFeature.getClient().getBooleanValue('new-checkout', false, {
      targetingKey: user.id,
    });
    // configuration.md: end
    expect(isOn).toBe(false);
  });

  it('reads and writes keys', async () => {
    const kv = started.app.get(ConsulKv);
    const seen: unknown[] = [];
    // keys.md: kv
    interface Stock {
      copies: number;
    }
    const stock = { codec: jsonCodec<Stock>() };
    await kv.put('shop/stock/42', { copies: 3 }, stock);
    // { key, value: { copies: 3 }, modifyIndex, flags, session }
    const found = await kv.get('shop/stock/42', stock);
    // Repeated when another writer was faster.
    await kv.update('shop/stock/42', (now) => now && { copies: now.copies - 1 }, stock);
    const changes = kv.watch('shop/stock/42', stock);
    const subscription = changes.subscribe((entry) => seen.push(entry?.value.copies));
    // All or none: a KvTransactionError names the operations that failed.
    await kv.transaction([
      { type: 'checkNotExists', key: 'shop/orders/1' },
      { type: 'set', key: 'shop/orders/1', value: 'book 42' },
    ]);
    // keys.md: end
    expect(found?.value).toEqual({ copies: 3 });
    await eventually(() => seen.length === 1);
    expect(seen).toEqual([2]);
    subscription.unsubscribe();
    expect((await kv.get('shop/orders/1'))?.value).toBe('book 42');
  });

  it('has options that run, and are all in the table', () => {
    // configuration.md: options
    const shop = consulConfig({
      agent: { url: 'http://127.0.0.1:8500' },
      name: 'inventory',
      profiles: ['prod'],
      prefix: ['config', 'teams/shop/config'],
      sharedName: 'application',
      profileSeparator: ',',
      order: 'name',
      format: 'keys',
      values: 'typed',
      datacenter: 'dc1',
      registerAs: 'shop',
      defaults: { limits: { rate: 100 } },
      secrets: ['database.url', 'tenants.*.pin'],
      startup: 'background',
      startupTimeout: '5s',
      snapshotDirectory: '/var/lib/inventory/config',
      debounce: '250ms',
    });
    // configuration.md: end
    expect(shop.KEY).toBe('CONFIGURATION(shop)');
  });

  it.each(shownExamples(import.meta.url))(
    'are on their page, word for word: $page, $name',
    ({ page, text }) => {
      // What an example imports from another one is in this file.
      expect(readPage(page).replaceAll(/^import .* from '\.\/.*';\n/gm, '')).toContain(text);
    },
  );

  it('lists every option', () => {
    for (const [file, type] of [
      ['../../libs/discovery/src/config/config-options.ts', 'ConfigOptions'],
      ['../../libs/consul/src/config/consul-config-options.ts', 'ConsulConfigOptions'],
    ] as const)
      expect(missingOptions(readPage('configuration.md'), file, type)).toEqual([]);
  });
});
