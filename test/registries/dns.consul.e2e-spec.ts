import { describe, expect, it } from '@jest/globals';
import { DnsSource } from '@rookery/consul';
import { sourceContract, type ContractInstance } from '@rookery/discovery/testing';
import { ConsulAgent } from '@rookery/test-support';
import { putInstance } from '../faults/watching-app.js';

describe('DNS as a source', () => {
  const start = async (instances: readonly ContractInstance[]) => {
    const agent = await ConsulAgent.start();
    const put = ({ service, id, port }: ContractInstance): Promise<void> =>
      putInstance(agent, service, id, port);
    for (const instance of instances) await put(instance);
    const source = new DnsSource({ servers: [`127.0.0.1:${agent.ports.dns}`], interval: '100ms' });
    return {
      source,
      // Instances that were seen before stay for a while: that of a resolver that shows some of them.
      namesNoServices: true,
      stop: async (): Promise<void> => {
        await source.close();
        await agent.stop();
      },
    };
  };
  it.each(sourceContract(start))('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});
