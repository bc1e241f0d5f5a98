/* eslint-disable jest/no-export -- the README shows these files as they are */
import { readFileSync } from 'node:fs';
// README settings begin
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
// README settings end
// README values begin
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
// README values end
// README config module begin
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
// README config module end
import { ConfigService } from '@nestjs/config';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { OpenFeature } from '@openfeature/server-sdk';
import { ConsulKv, jsonCodec } from '@rookery/consul';
import { ConsulFlagProvider } from '@rookery/consul/openfeature';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { eventually } from '@rookery/test-support';
import { missingOptions } from './documented-options.js';
import { startApp, type TestApp } from './test-app.js';

describe('the live configuration that the README shows', () => {
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
    // README explain begin
    const { origins } = config.explain('limits.rate');
    // [{ path: 'limits.rate', value: 7, key: 'config/inventory,test/limits/rate',
    //    overrides: [{ key: 'config/inventory/limits/rate', value: 5 }, { key: 'defaults', value: 100 }] }]
    // README explain end
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
    // README flags begin
    await OpenFeature.setProviderAndWait(new ConsulFlagProvider(app.get(ConsulConfig)));
    const isOn = await OpenFeature.getClient().getBooleanValue('new-checkout', false, {
      targetingKey: user.id,
    });
    // README flags end
    expect(isOn).toBe(false);
  });

  it('reads and writes keys', async () => {
    const kv = started.app.get(ConsulKv);
    const seen: unknown[] = [];
    // README kv begin
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
    // README kv end
    expect(found?.value).toEqual({ copies: 3 });
    await eventually(() => seen.length === 1);
    expect(seen).toEqual([2]);
    subscription.unsubscribe();
    expect((await kv.get('shop/orders/1'))?.value).toBe('book 42');
  });

  it('has options that run, and are all in the table', () => {
    // README options begin
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
    // README options end
    expect(shop.KEY).toBe('CONFIGURATION(shop)');
  });

  it('is what the README says, word for word', () => {
    const [source, readme] = ['readme-config.e2e-spec.ts', '../../README.md'].map((file) =>
      readFileSync(new URL(file, import.meta.url), 'utf8'),
    ) as [string, string];
    const examples = [...source.matchAll(/^ *\/\/ README ([\w ]+) begin\n(.*?)^ *\/\/ README \1 end$/gms)];
    expect(examples).toHaveLength(7);
    for (const [, , text = ''] of examples) {
      const indent = /^ */.exec(text)?.[0] ?? '';
      expect(readme).toContain(text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''));
    }
    for (const [file, type] of [
      ['../../libs/discovery/src/config/config-options.ts', 'ConfigOptions'],
      ['../../libs/consul/src/config/consul-config-options.ts', 'ConsulConfigOptions'],
    ] as const)
      expect(missingOptions(readme, file, type)).toEqual([]);
  });
});
