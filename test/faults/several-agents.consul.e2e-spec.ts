import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, DiscoveryEvents, RegistrationService, type ServiceOptions } from '@rookery/consul';
import { eventually, figure, startCluster, type ConsulCluster } from '@rookery/test-support';
import { rootModule, startApp } from '../e2e/test-app.js';

/** A load balancer without stickiness: each connection goes to the next agent. */
class RoundRobin {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(ports: readonly number[]) {
    let connections = 0;
    this.#server = createServer((client) => {
      const agent = connect(ports[connections++ % ports.length] ?? 0, '127.0.0.1');
      for (const [from, to] of [
        [client, agent],
        [agent, client],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
      }
    });
  }

  static async start(ports: readonly number[]): Promise<RoundRobin> {
    const balancer = new RoundRobin(ports);
    await new Promise<void>((resolve) => balancer.#server.listen(0, '127.0.0.1', resolve));
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends every connection: the next ones may lead to another agent. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  stop(): void {
    this.#server.close();
    this.reset();
  }
}

describe('several agents behind one address', () => {
  let cluster: ConsulCluster;
  let balancer: RoundRobin;
  beforeAll(async () => {
    cluster = await startCluster({ servers: 1, clients: 2 });
    balancer = await RoundRobin.start(cluster.clients.map(({ ports }) => ports.http));
  }, 120_000);
  afterAll(async () => {
    balancer.stop();
    await cluster.stop();
  });

  const nodesOf = async (service: string): Promise<string[]> => {
    const [server] = cluster.servers;
    const { body } = (await server?.request('GET', `/v1/health/service/${service}`)) ?? {};
    return (body as { Node: { Node: string } }[]).map(({ Node }) => Node.Node);
  };

  it.each<[string, ServiceOptions['check']]>([
    ['http', { type: 'http', interval: '1s' }],
    ['ttl', { type: 'ttl', ttl: '3s' }],
    ['ttl from a worker thread', { type: 'ttl', ttl: '3s', heartbeat: 'worker-thread' }],
  ])(
    'F48 a check of type %s: one registration, one warning, and nothing is left',
    async (what, check) => {
      const name = `shared-${what.split(' ').join('-')}`;
      const module = ConsulModule.forRoot({
        agent: { url: balancer.url },
        service: { name, ...(check ? { check } : {}) },
        shutdown: { drainTimeout: 0 },
      });
      const { app, logger } = await startApp(rootModule([module]));
      const events: string[] = [];
      app.get(DiscoveryEvents).events$.subscribe(({ type }) => events.push(type));
      await app.get(RegistrationService).whenRegistered();
      const seen = new Set<string>();
      for (let round = 0; round < 12; round++) {
        for (const node of await nodesOf(name)) seen.add(node);
        if (round % 3 === 2) balancer.reset();
        await sleep(500);
      }
      await eventually(() => logger.matching(/leads to several Consul agents/).length > 0);
      expect(logger.matching(/leads to several Consul agents/)).toHaveLength(1);
      expect(await nodesOf(name)).toHaveLength(1);
      expect([...seen]).toHaveLength(1);
      await app.close();
      await eventually(async () => (await nodesOf(name)).length === 0, { within: 5_000 });
      const losses = events.filter((type) => type === 'registration.lost').length;
      figure('F48', `${what}: ${seen.size} agent has it, ${losses} losses in 6 s, nothing left`);
      expect(losses).toBe(0);
    },
    60_000,
  );
});
