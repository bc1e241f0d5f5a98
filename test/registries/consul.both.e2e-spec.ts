import { describe, expect, it } from '@jest/globals';
import { ConsulClient, ConsulRegistry } from '@rookery/consul';
import { registryContract, sourceContract, type ContractInstance } from '@rookery/discovery/testing';
import { startTestConsul } from '@rookery/test-support';
import { putInstance } from '../faults/watching-app.js';

describe('Consul as a registry', () => {
  const start = async () => {
    const consul = await startTestConsul();
    const registry = new ConsulRegistry(ConsulClient.create({ url: consul.url }));
    const remove = async ({ id }: Pick<ContractInstance, 'id'>): Promise<void> => {
      await consul.request('PUT', `/v1/agent/service/deregister/${id}`);
    };
    const stop = async (): Promise<void> => {
      await registry.close();
      await consul.stop();
    };
    return { consul, registry, remove, stop };
  };
  const startSource = async (instances: readonly ContractInstance[]) => {
    const { consul, registry, stop } = await start();
    const put = ({ service, id, port }: ContractInstance): Promise<void> =>
      putInstance(consul, service, id, port);
    for (const instance of instances) await put(instance);
    const leave = async ({ id }: ContractInstance): Promise<void> => {
      await consul.request('PUT', '/v1/catalog/deregister', { Node: 'external', ServiceID: id });
    };
    return { source: registry, put, remove: leave, stop };
  };
  it.each([...sourceContract(startSource), ...registryContract(start)])('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});
