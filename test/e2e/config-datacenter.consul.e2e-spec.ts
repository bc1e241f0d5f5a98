import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulClient, ConsulKv } from '@rookery/consul';
import { consulConfig } from '@rookery/consul/config';
import { eventually, startTwoDatacenters } from '@rookery/test-support';
import { startConfigApp } from './config-app.js';

describe('live configuration of another datacenter', () => {
  let two: Awaited<ReturnType<typeof startTwoDatacenters>>;
  beforeAll(async () => {
    two = await startTwoDatacenters();
  });
  afterAll(() => two.stop());

  it('is read and followed there, and written by ConsulKv', async () => {
    const client = ConsulClient.create({ url: two.dc1.url });
    const kv = new ConsulKv(client);
    await kv.put('config/shop/where', 'dc1');
    await eventually(async () => {
      await kv.put('config/shop/where', 'dc2', { datacenter: 'dc2' });
      return true;
    });
    const settings = consulConfig({ agent: { url: two.dc1.url }, name: 'shop', datacenter: 'dc2' });
    const { app, config } = await startConfigApp(two.dc1.url, [settings]);
    expect(config.get('where')).toBe('dc2');
    const seen: unknown[] = [];
    const subscription = kv
      .watch('config/shop/where', { datacenter: 'dc2' })
      .subscribe((entry) => seen.push(entry?.value));
    await kv.put('config/shop/where', 'changed in dc1');
    await kv.put('config/shop/where', 'changed in dc2', { datacenter: 'dc2' });
    await eventually(() => config.get('where') === 'changed in dc2' && seen.includes('changed in dc2'));
    expect(seen).not.toContain('changed in dc1');
    subscription.unsubscribe();
    kv.beforeApplicationShutdown();
    await app.close();
    await client.close();
  });
});
