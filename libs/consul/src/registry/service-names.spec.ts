import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import type { ConsulClient } from '../client/consul-client.js';
import { ServiceNames } from './service-names.js';

describe('ServiceNames', () => {
  it('are read every ten seconds at most, for each datacenter', async () => {
    const asked: unknown[] = [];
    const catalog = {
      services: async (options: object) => {
        asked.push(options);
        return { body: { [`web-${asked.length}`]: [], consul: [] } };
      },
    };
    const clock = new FakeClock();
    const names = new ServiceNames({ catalog } as unknown as ConsulClient, clock);
    expect(await names.read(undefined)).toEqual(['web-1', 'consul']);
    await clock.advance(9_999);
    expect(await names.read(undefined)).toEqual(['web-1', 'consul']);
    expect(await names.read('dc2')).toEqual(['web-2', 'consul']);
    await clock.advance(1);
    expect(await names.read(undefined)).toEqual(['web-3', 'consul']);
    expect(asked).toEqual([{}, { datacenter: 'dc2' }, {}]);
  });
});
