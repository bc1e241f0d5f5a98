import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdClient, EtcdRegistry, type InstanceLayout } from '@rookery/etcd';
import { registryContract, sourceContract, type ContractInstance } from '@rookery/discovery/testing';
import { EtcdServer } from '@rookery/test-support';

describe.each<InstanceLayout>(['rookery', 'grpc'])('etcd as a registry, with the layout %s', (layout) => {
  let server: EtcdServer;
  let cases = 0;
  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterAll(() => server.stop());

  const start = async () => {
    const client = EtcdClient.create({ endpoints: server.url }, {});
    const prefix = `/contract/${++cases}`;
    const registry = new EtcdRegistry(client, { prefix, layout });
    const key = ({ service, id }: Pick<ContractInstance, 'service' | 'id'>): string =>
      `${prefix}/${service}/${id}`;
    const other = EtcdClient.create({ endpoints: server.url }, {});
    return {
      registry,
      put: async ({ port, ...instance }: ContractInstance): Promise<void> => {
        await other.kv.put(key(instance), JSON.stringify({ address: '127.0.0.1', port }));
      },
      remove: async (instance: Pick<ContractInstance, 'service' | 'id'>): Promise<void> => {
        await other.kv.delete(key(instance));
      },
      stop: async (): Promise<void> => {
        await registry.close();
        other.close();
      },
    };
  };
  const startSource = async (instances: readonly ContractInstance[]) => {
    const { registry, ...rest } = await start();
    for (const instance of instances) await rest.put(instance);
    return { source: registry, ...rest };
  };
  it.each([...sourceContract(startSource), ...registryContract(start)])('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});
