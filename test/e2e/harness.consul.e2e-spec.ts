import { describe, expect, it } from '@jest/globals';
import { ConsulAgent, eventually, startCluster } from '@rookery/test-support';

describe('the test harness for real agents', () => {
  it('kills and restarts one with its data, and without', async () => {
    const agent = await ConsulAgent.start({ mode: 'server' });
    const services = async (): Promise<string[]> =>
      Object.keys((await agent.request('GET', '/v1/agent/services')).body as object);
    await agent.request('PUT', '/v1/agent/service/register', { Name: 'kept' });
    const { pid, url } = agent;
    await agent.restart();
    expect(agent.url).toBe(url);
    expect(agent.pid).not.toBe(pid);
    expect(await services()).toEqual(['kept']);
    await agent.restart({ keepData: false });
    expect(await services()).toEqual([]);
    await agent.stop();
    await expect(agent.request('GET', '/v1/status/leader')).rejects.toThrow();
  });

  it('freezes one, and resumes it', async () => {
    const agent = await ConsulAgent.start();
    agent.pause();
    let answered = false;
    const asking = agent.request('GET', '/v1/status/leader').then(() => (answered = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(answered).toBe(false);
    agent.resume();
    await asking;
    await agent.stop();
  });

  it('runs three servers and two clients, and survives the loss of the leader', async () => {
    const cluster = await startCluster();
    const leader = await cluster.leader();
    await leader.kill();
    const next = await eventually(
      async () => {
        const found = await cluster.leader();
        return found === leader ? undefined : found;
      },
      { within: 40_000 },
    );
    expect(cluster.servers).toContain(next);
    expect(cluster.clients).toHaveLength(2);
    await cluster.stop();
  });
});
