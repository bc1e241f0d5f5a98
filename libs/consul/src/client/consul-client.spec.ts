import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { resolveAgent, type AgentOptions, type ResolvedAgent } from './agent-options.js';
import { shareConnections, type ConnectionBudget } from './connection-budget.js';
import { ConsulClient } from './consul-client.js';
import type { HttpPool, OpenPool } from './consul-transport.js';
import type { TokenSource } from './token-source.js';

interface Asked {
  /** The path of its address, by which several are told apart. */
  readonly agent: string;
  readonly path: string;
  readonly password: string | undefined;
}

describe('ConsulClient', () => {
  let asked: Asked[];
  let away: Set<string>;
  /** Of the services that an agent has, one agent after the other. */
  let agents: string[][];
  let pools: number[];
  let clock: FakeClock;
  let client: ConsulClient;

  const openPool: OpenPool = (connections): HttpPool => {
    pools.push(connections);
    const services = agents.shift() ?? [];
    return {
      request: async ({ path: full, headers }) => {
        const [, agent = '', path = ''] = /^(\/.)?(\/v1\/.*)$/.exec(full) ?? [];
        const { authorization } = headers;
        const password =
          authorization && Buffer.from(authorization.replace('Basic ', ''), 'base64').toString();
        asked.push({ agent, path, password });
        if (away.has(agent)) throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
        const [, id] = /^\/v1\/agent\/service\/([^/?]+)$/.exec(path) ?? [];
        const isFound = id === undefined || services.includes(id);
        const text =
          path === '/v1/status/leader' ? '"127.0.0.1:8300"' : isFound ? '{}' : 'unknown service ID';
        return { statusCode: isFound ? 200 : 404, headers: {}, body: piecesOf(text) };
      },
      destroy: async () => undefined,
    };
  };
  const open = (
    options: AgentOptions,
    budget?: ConnectionBudget,
    change: Partial<ResolvedAgent> = {},
  ): ConsulClient => {
    const { agent, issues } = resolveAgent(options, {});
    if (!agent) throw new Error(JSON.stringify(issues));
    return (client = new ConsulClient({ ...agent, ...change }, budget, { clock, openPool }));
  };
  beforeEach(() => {
    asked = [];
    pools = [];
    agents = [];
    away = new Set();
    clock = new FakeClock();
  });
  afterEach(() => client.close());

  it('has the scope of its requests, and the host of its agent', () => {
    open({ url: 'http://consul:8500' });
    expect([client.url, client.host, client.scope]).toEqual([
      'http://consul:8500',
      'consul',
      [null, null, null],
    ]);
    open({ url: 'unix:///run/consul.sock', datacenter: 'dc2', namespace: 'team', partition: 'part' });
    expect([client.host, client.scope]).toEqual([undefined, ['dc2', 'team', 'part']]);
  });

  it('has as many connections as its options allow, or as it is told', async () => {
    const limits = (): number[] => [client.watchLimit, client.blockingQueryLimit];
    open({ maxConnections: 50 });
    const { list, watch } = shareConnections(50);
    expect(limits()).toEqual([list, watch]);
    const own = shareConnections(20, { isNative: true });
    open({ maxConnections: 50 }, own);
    expect(limits()).toEqual([own.list, own.watch]);
  });

  it('lets a blocking query wait no longer than maxWait', () => {
    open({ maxWait: '30s' });
    expect([client.waitWithin(60_000), client.waitWithin(10_000)]).toEqual([30_000, 10_000]);
  });

  describe('with several agents', () => {
    const url = ['http://me:word@consul:1/a', 'http://you:other@consul:1/b', 'http://consul:1/c'];

    it('goes to the next one, and tells so', async () => {
      open({ url });
      expect(client.url).toBe('http://consul:1/a, http://consul:1/b, http://consul:1/c');
      const switches: unknown[] = [];
      const end = client.onSwitch((change) => switches.push(change));
      away = new Set(['/a']);
      await client.catalog.services();
      expect(switches).toEqual([
        expect.objectContaining({ from: 'http://consul:1/a', to: 'http://consul:1/b' }),
      ]);
      end();
      away = new Set(['/a', '/b']);
      await client.catalog.services();
      expect([asked.at(-1)?.agent, switches.length]).toEqual(['/c', 1]);
    });

    it('sends a password to the agent that it is for', async () => {
      const passwords = async (urls: string[], environment: NodeJS.ProcessEnv = {}): Promise<unknown> => {
        const { agent } = resolveAgent({ url: urls }, environment);
        if (!agent) throw new Error('its options are wrong');
        client = new ConsulClient(agent, undefined, { clock, openPool });
        asked = [];
        away = new Set(['/a', '/b', '/c']);
        await client.catalog.services().catch(() => undefined);
        await client.close();
        return Object.fromEntries(asked.map(({ agent: name, password }) => [name, password]));
      };
      expect(await passwords(url)).toEqual({ '/a': 'me:word', '/b': 'you:other', '/c': undefined });
      expect(
        await passwords(['http://consul:1/a', 'http://you:other@consul:1/b', 'http://consul:1/c'], {
          CONSUL_HTTP_AUTH: 'all:same',
        }),
      ).toEqual({ '/a': 'all:same', '/b': 'you:other', '/c': 'all:same' });
    });
  });

  it('finds the agent that has a service behind one address, over single connections', async () => {
    open({ url: 'http://consul:1', maxConnections: 50 });
    const seen: unknown[] = [];
    const work = async (agent: { service: (id: string) => Promise<unknown> }): Promise<string> => {
      seen.push(await agent.service('web'));
      return 'done';
    };
    await client.catalog.services();
    expect(client.reachesSeveralAgents).toBe(false);
    agents = [['other'], ['web']];
    expect(await client.agent.service('web')).toBeDefined();
    expect(client.reachesSeveralAgents).toBe(true);
    agents = [['other'], ['web']];
    expect(await client.onAgentWith('web', work)).toBe('done');
    expect(seen).toHaveLength(1);
    expect(pools.slice(1).every((connections) => connections === 1)).toBe(true);
    agents = [];
    expect(await client.onAgentWith('none', work)).toBeUndefined();
  });

  it('tells of each request, those of single connections too', async () => {
    open({ url: 'http://consul:1' });
    const operations: string[] = [];
    const end = client.onRequest(({ operation }) => operations.push(operation));
    await client.catalog.services();
    agents = [['web']];
    await client.onAgentWith('web', async () => undefined);
    end();
    await client.catalog.services();
    expect(operations).toEqual(['GET catalog/services', 'GET agent/service']);
  });

  it('reads its token again, and logs out when it is closed', async () => {
    const steps: unknown[] = [];
    const token: TokenSource = {
      current: async () => void steps.push('current'),
      refused: async () => false,
      version: 7,
      connect: (login) => {
        steps.push(typeof login.logout);
        return async () => void steps.push('disconnected');
      },
    };
    open({ url: 'http://consul:1' }, undefined, { token });
    expect(client.tokenVersion).toBe(7);
    await client.refreshToken();
    await client.close();
    expect(steps).toEqual(['function', 'current', 'disconnected']);
    await expect(client.catalog.services()).rejects.toMatchObject({ hint: 'It was used after app.close()' });
  });

  it('is created outside of Nest, or says what is wrong', async () => {
    client = ConsulClient.create({ url: 'http://consul:1' }, { CONSUL_NAMESPACE: 'team' });
    expect(client.scope).toEqual([null, 'team', null]);
    expect(() => ConsulClient.create({ timeout: 'soon' as never }, {})).toThrow(
      expect.objectContaining({
        code: 'RK_CONFIG_INVALID',
        message: expect.stringContaining('ConsulClient'),
      }),
    );
  });
});

async function* piecesOf(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
