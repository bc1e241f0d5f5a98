import { ConsulAgent, type ConsulAgentOptions } from './consul-agent.js';

export interface ConsulCluster {
  readonly servers: readonly ConsulAgent[];
  readonly clients: readonly ConsulAgent[];
  /** The server that leads now. */
  leader(): Promise<ConsulAgent>;
  stop(): Promise<void>;
}

/** Servers and clients of one datacenter; resolves when each of them is usable. */
export async function startCluster({
  servers = 3,
  clients = 2,
  ...options
}: { servers?: number; clients?: number } & Omit<
  ConsulAgentOptions,
  'mode' | 'expect' | 'join' | 'node'
> = {}): Promise<ConsulCluster> {
  const all: ConsulAgent[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(all.map((agent) => agent.stop()));
  };
  try {
    for (let n = 1; n <= servers + clients; n++) {
      const mode = n <= servers ? 'server' : 'client';
      const join = all.filter((_, index) => index < servers);
      all.push(await ConsulAgent.launch({ ...options, mode, expect: servers, join }));
    }
    await Promise.all(all.map((agent) => agent.ready()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    servers: all.slice(0, servers),
    clients: all.slice(servers),
    leader: () => findLeader(all, servers),
    stop,
  };
}

/** Two dev agents, `dc1` and `dc2`, joined over the WAN. */
export async function startTwoDatacenters(): Promise<{
  dc1: ConsulAgent;
  dc2: ConsulAgent;
  stop(): Promise<void>;
}> {
  const dc1 = await ConsulAgent.start({ datacenter: 'dc1' });
  const dc2 = await ConsulAgent.start({ datacenter: 'dc2', joinWan: [dc1] });
  return {
    dc1,
    dc2,
    stop: async () => {
      await Promise.all([dc1.stop(), dc2.stop()]);
    },
  };
}

async function findLeader(all: readonly ConsulAgent[], servers: number): Promise<ConsulAgent> {
  for (const agent of all) {
    const answer = await agent.request('GET', '/v1/status/leader').catch(() => undefined);
    const leader = all.slice(0, servers).find(({ ports }) => answer?.body === `127.0.0.1:${ports.server}`);
    if (leader) return leader;
  }
  throw new Error('no agent knows of a leader');
}
