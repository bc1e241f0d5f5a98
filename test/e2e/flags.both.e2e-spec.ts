import { OpenFeature, ProviderEvents } from '@openfeature/server-sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulClient } from '@rookery/consul';
import { consulConfig } from '@rookery/consul/config';
import { ConsulFlagProvider } from '@rookery/consul/openfeature';
import { eventually, startTestConsul, type TestConsul } from '@rookery/test-support';
import { startConfigApp, type ConfigApp } from './config-app.js';

describe('feature flags over live configuration', () => {
  let consul: TestConsul;
  let client: ConsulClient;
  let app: ConfigApp;

  beforeAll(async () => {
    consul = await startTestConsul();
    client = ConsulClient.create({ url: consul.url });
    const rules = [
      { keys: ['alice@example.com'], value: true },
      { percent: 100, value: true },
    ];
    const flags = {
      plain: 'true',
      'checkout/new': JSON.stringify({ value: false, rules: rules.slice(0, 1) }),
      share: JSON.stringify({ value: false, rules: rules.slice(1) }),
      color: 'blue',
      size: '5',
      theme: '{"dark": true}',
      broken: '{"value": 1, "rules": 5}',
    };
    for (const [key, value] of Object.entries(flags)) await client.kv.put(`config/shop/flags/${key}`, value);
    app = await startConfigApp(consul.url, [
      consulConfig({ agent: { url: consul.url }, name: 'shop', debounce: '50ms' }),
    ]);
    await OpenFeature.setProviderAndWait(new ConsulFlagProvider(app.live));
  });
  afterAll(async () => {
    await OpenFeature.close();
    await app.app.close();
    await client.close();
    await consul.stop();
  });

  it('evaluates values and rules, and says why', async () => {
    const flags = OpenFeature.getClient();
    const alice = { targetingKey: 'alice@example.com' };
    expect(await flags.getBooleanDetails('plain', false)).toMatchObject({ value: true, reason: 'STATIC' });
    expect(await flags.getBooleanDetails('checkout.new', false, alice)).toMatchObject({
      value: true,
      reason: 'TARGETING_MATCH',
    });
    expect(await flags.getBooleanDetails('checkout.new', true, { targetingKey: 'bob' })).toMatchObject({
      value: false,
      reason: 'DEFAULT',
    });
    expect(await flags.getBooleanDetails('share', false, alice)).toMatchObject({
      value: true,
      reason: 'SPLIT',
    });
    expect(await flags.getBooleanDetails('share', true)).toMatchObject({ value: false, reason: 'DEFAULT' });
    expect(await flags.getStringValue('color', 'red')).toBe('blue');
    expect(await flags.getNumberValue('size', 1)).toBe(5);
    expect(await flags.getObjectValue('theme', {})).toEqual({ dark: true });
  });

  it('returns the default of the caller for a flag that is missing, of another type, or broken', async () => {
    const flags = OpenFeature.getClient();
    expect(await flags.getBooleanDetails('none', true)).toMatchObject({
      value: true,
      errorCode: 'FLAG_NOT_FOUND',
    });
    expect(await flags.getBooleanDetails('color', true)).toMatchObject({
      value: true,
      errorCode: 'TYPE_MISMATCH',
    });
    expect(app.logger.matching(/flags\.broken has no effect.*rules must be a list/)).toHaveLength(1);
    expect(await flags.getNumberDetails('broken', 7)).toMatchObject({ value: 7, errorCode: 'PARSE_ERROR' });
  });

  it('follows changes, and tells OpenFeature which flags have changed', async () => {
    const changed: unknown[] = [];
    OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, (details) => {
      changed.push(details?.flagsChanged);
    });
    await client.kv.put('config/shop/flags/checkout/new', JSON.stringify({ value: true, rules: [] }));
    await client.kv.put('config/shop/other', 'x');
    await client.kv.put('config/shop/flags/plain', 'false');
    await eventually(() => new Set(changed.flat()).size === 2);
    expect(await OpenFeature.getClient().getBooleanValue('checkout.new', false)).toBe(true);
    expect(new Set(changed.flat())).toEqual(new Set(['checkout.new', 'plain']));
    const before = changed.length;
    await client.kv.delete('config/shop/flags/plain');
    await eventually(() => changed.length > before);
    expect(changed.at(-1)).toEqual(['plain']);
  });
});
