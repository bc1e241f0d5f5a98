import { describe, expect, it } from '@jest/globals';
import type { ServiceRegistration } from '@rookery/discovery/adapter';
import { FakeClock, thrownBy } from '@rookery/test-support';
import type { EtcdClient } from '../client/etcd-client.js';
import { EtcdError } from '../client/etcd-error.js';
import { OwnRegistration } from './own-registration.js';

const REGISTRATION = {
  ...{ id: 'inventory-1', service: 'inventory', address: '10.0.0.1', port: 3000, secure: false },
  ...{ tags: [], meta: {}, taggedAddresses: {}, checks: [], status: 'passing' },
  ...{ enableTagOverride: false, weights: undefined, maintenance: undefined },
} as unknown as ServiceRegistration;

describe('OwnRegistration', () => {
  it('revokes the leases of all writes of which it does not know whether they were done', async () => {
    const lost = new EtcdError('RK_REGISTRY_TIMEOUT', 'no answer');
    const revoked: bigint[] = [];
    let granted = 0n;
    let isLost = true;
    const client = {
      lease: {
        grant: async () => ({ id: ++granted, ttl: 15 }),
        revoke: async (id: bigint) => void revoked.push(id),
        keepAlive: async () => 15,
      },
      kv: {
        transaction: async () => {
          if (isLost) throw lost;
          return { succeeded: true };
        },
      },
    } as unknown as EtcdClient;
    const own = new OwnRegistration('/services/inventory/1', REGISTRATION, {
      ...{ client, layout: 'rookery', ttl: 15 },
      ...{ clock: new FakeClock(), random: () => 0 },
    });
    for (let n = 0; n < 2; n++)
      expect(await thrownBy(() => own.register(REGISTRATION, undefined, {}))).toBe(lost);
    await own.remove({});
    expect(revoked).toEqual([1n, 2n]);
    // One that is known to be done replaces what was before it.
    expect(await thrownBy(() => own.register(REGISTRATION, undefined, {}))).toBe(lost);
    isLost = false;
    await own.register(REGISTRATION, undefined, {});
    await own.remove({});
    expect(revoked).toEqual([1n, 2n, 4n]);
  });
});
