import { afterAll, beforeAll, describe } from '@jest/globals';
import { EtcdClient, EtcdModule } from '@rookery/etcd';
import { EtcdServer } from '@rookery/test-support';
import { coordinationCases } from './coordination-cases.js';

describe('locks, semaphores and elections on etcd', () => {
  let server: EtcdServer;
  let etcd: EtcdClient;
  beforeAll(async () => {
    server = await EtcdServer.start();
    etcd = EtcdClient.create({ endpoints: server.url }, {});
  });
  afterAll(async () => {
    etcd.close();
    await server.stop();
  });

  coordinationCases(() => ({
    module: (options) => EtcdModule.forRoot({ endpoints: server.url, ...options }),
    other: {
      put: (key, value) => etcd.kv.put(key, value),
      read: async (key) => (await etcd.kv.get(key))?.value.toString(),
      keysOf: async (name) => (await etcd.kv.range({ prefix: `${name}/` })).values.map(({ key }) => key),
      endSession: (id) => etcd.lease.revoke(BigInt(`0x${id}`)),
      sessions: async () => {
        const [, ...ids] = (await server.ctl(['lease', 'list'])).trim().split('\n');
        // Padded with zeros, unlike in keys.
        return ids.map((id) => BigInt(`0x${id}`).toString(16));
      },
      deleteKeyOf: ({ key, session }) => etcd.kv.delete(`${key}/${session}`),
    },
  }));
});
