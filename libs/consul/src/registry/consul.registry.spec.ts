import { ConsoleLogger, Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import type { InstanceStatus } from '@rookery/discovery';
import type { RegistrationRecord, ServiceRegistration } from '@rookery/discovery/adapter';
import type { AgentApi } from '../client/api/agent.api.js';
import type { ConsulClient } from '../client/consul-client.js';
import { ConsulRegistry, type ConsulRegistryOptions } from './consul.registry.js';

const REGISTRATION = {
  ...{ id: 'web-1', service: 'web', address: '10.0.0.1', port: 80, secure: false, tags: [], meta: {} },
  ...{
    enableTagOverride: false,
    weights: undefined,
    taggedAddresses: {},
    status: 'passing',
    maintenance: undefined,
  },
  checks: [{ id: 'web-1:ttl', name: 'TTL', type: 'ttl', ttlMs: 30_000 }],
} as ServiceRegistration;
const HELD = {
  ID: 'web-1',
  Service: 'web',
  Address: '10.0.0.1',
  Port: 80,
  Tags: [],
  Meta: {},
  Weights: { Passing: 1, Warning: 1 },
};
const OWN = {
  CheckID: 'web-1:ttl',
  Name: 'TTL',
  Notes: '',
  Status: 'passing',
  Output: '',
  ServiceID: 'web-1',
  Node: 'host-1',
};

describe('ConsulRegistry', () => {
  const { signal } = new AbortController();
  let clock: FakeClock;
  let asked: unknown[];
  let held: object | undefined;
  let contentHash: string | undefined;
  let checks: Record<string, object>;
  /** Of the other agents behind the address. */
  let checksElsewhere: Record<string, object> | undefined;
  let listed: string[][];
  let nodes: object[];
  let names: Record<string, string[]>;
  let leader: string | undefined;
  let state: { reachesSeveralAgents: boolean; tokenVersion: number | undefined; disconnects: number };
  let logger: RecordingLogger;

  beforeEach(() => {
    clock = new FakeClock();
    asked = [];
    held = HELD;
    contentHash = 'h1';
    checks = { a: OWN };
    checksElsewhere = undefined;
    listed = [];
    nodes = [];
    names = { web: ['v1'] };
    leader = '10.0.0.2:8300';
    state = { reachesSeveralAgents: false, tokenVersion: undefined, disconnects: 3 };
    logger = new RecordingLogger();
    Logger.overrideLogger(logger);
  });
  afterEach(() => {
    Logger.overrideLogger(new ConsoleLogger());
  });

  const agentOf = (name: string, found: () => Record<string, object> | undefined): AgentApi =>
    ({
      self: async () => ({ body: { Config: { NodeName: 'host-1' } } }),
      service: async (id: string, { hash }: { hash?: string } = {}) => {
        asked.push([name, 'service', id]);
        if (hash !== undefined) return new Promise(() => undefined);
        return held && { body: held, contentHash };
      },
      register: async (
        definition: { ID: string; Checks?: object[] },
        { replaceExistingChecks }: { replaceExistingChecks?: boolean },
      ) => {
        asked.push([name, 'register', definition.ID, replaceExistingChecks, definition.Checks]);
      },
      deregister: async (id: string) => {
        asked.push([name, 'deregister', id]);
      },
      maintenance: async (id: string, on: boolean, reason?: string) => {
        asked.push([name, 'maintenance', id, on, reason]);
      },
      checks: {
        list: async () => ({ body: found() ?? {} }),
        update: async (...report: unknown[]) => {
          asked.push([name, 'report', ...report.slice(0, 3), (report[3] as { timeout: number }).timeout]);
        },
      },
    }) as unknown as AgentApi;
  const client = (): ConsulClient => {
    const own = agentOf('own', () => checks);
    return {
      ...{ url: 'http://127.0.0.1:8500', host: '127.0.0.1', scope: ['dc1', null, null], watchLimit: 7 },
      waitWithin: (ms: number) => Math.min(ms, 100_000),
      get reachesSeveralAgents() {
        return state.reachesSeveralAgents;
      },
      get tokenVersion() {
        return state.tokenVersion;
      },
      get disconnects() {
        return state.disconnects;
      },
      agent: own,
      onAgentWith: async (id: string, work: (agent: AgentApi) => unknown) => {
        asked.push(['each', id]);
        return checksElsewhere && work(agentOf('other', () => checksElsewhere));
      },
      health: {
        node: async (node: string, options: object) => {
          asked.push(['node', node]);
          return 'wait' in options ? new Promise(() => undefined) : { body: nodes };
        },
        service: async (_service: string, { filter }: { filter?: string }) => {
          asked.push(['listed', filter !== undefined]);
          return {
            body: (listed.shift() ?? []).map((ID) => ({ Service: { ID }, Node: { Node: 'host-1' } })),
          };
        },
      },
      catalog: { services: async () => ({ body: names }) },
      acl: { allows: async () => [false] },
      status: { leader: async () => leader },
      refreshToken: async () => undefined,
      onRequest: (listener: unknown) => (asked.push(['listen', listener]), () => undefined),
      onSwitch: (listener: unknown) => (asked.push(['switch', listener]), () => undefined),
      close: async () => void asked.push('close'),
    } as unknown as ConsulClient;
  };
  const open = (options: ConsulRegistryOptions = {}): ConsulRegistry =>
    new ConsulRegistry(client(), { clock, random: () => 0.5, ...options });
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => undefined);
    await clock.advance(20_000);
    return promise;
  };

  it('says where it is, and what it has of its client', async () => {
    const registry = open();
    expect(registry.description).toBe('Consul at http://127.0.0.1:8500');
    expect(registry.cacheKey).toBe('Consul at http://127.0.0.1:8500 ["dc1",null,null]');
    expect([registry.host, registry.disconnects, registry.credentials]).toEqual(['127.0.0.1', 3, 0]);
    expect(registry.knowsNodeAddress).toBe(true);
    expect(registry.connections).toMatchObject({ limit: 7 });
    state.tokenVersion = 4;
    expect(registry.credentials).toBe(4);
    const listener = (): void => undefined;
    registry.onRequest(listener);
    registry.onSwitch(listener);
    await registry.close();
    expect(asked).toEqual([['listen', listener], ['switch', listener], 'close']);
    expect(registry.workerReporter()).toBeUndefined();
    const source = { module: 'x' } as never;
    expect(open({ forWorker: () => source }).workerReporter()).toBe(source);
    await ConsulRegistry.create({ url: 'http://127.0.0.1:1' }, {}).close();
    expect(() => ConsulRegistry.create({ url: 'ftp://x' }, {})).toThrow(/agent\.url/);
  });

  it('registers with its agent, in place of the checks that are there unless it is in maintenance', async () => {
    await open().register(REGISTRATION, signal);
    await open().register({ ...REGISTRATION, maintenance: 'update' }, signal);
    expect(asked).toEqual([
      ['own', 'register', 'web-1', true, [expect.objectContaining({ CheckID: 'web-1:ttl' })]],
      ['own', 'register', 'web-1', false, [expect.anything()]],
      ['own', 'maintenance', 'web-1', true, 'update'],
    ]);
  });

  it('registers with the agent that has it already, where several are behind one address', async () => {
    state.reachesSeveralAgents = true;
    await open().register(REGISTRATION, signal);
    checksElsewhere = {};
    await open().register(REGISTRATION, signal);
    expect(asked.map((each) => (each as unknown[]).slice(0, 2))).toEqual([
      ['each', 'web-1'],
      ['own', 'register'],
      ['each', 'web-1'],
      ['other', 'register'],
    ]);
  });

  it('registers no alias of a node that there is not', async () => {
    const alias = { id: 'web-1:alias', name: 'x', type: 'alias', service: undefined, node: 'db' };
    const aliased = { ...REGISTRATION, checks: [alias] } as unknown as ServiceRegistration;
    await expect(open().register(aliased, signal)).rejects.toMatchObject({
      code: 'RK_REGISTRY_BAD_REQUEST',
      message: expect.stringContaining(
        'the check "web-1:alias" is an alias of the node "db", which does not exist',
      ),
    });
    expect(asked).toEqual([['node', 'db']]);
    nodes = [{}];
    await open().register(aliased, signal);
    const ofService = { ...alias, service: 'db-1', node: undefined };
    await open().register({ ...REGISTRATION, checks: [ofService] } as unknown as ServiceRegistration, signal);
    expect(asked.filter((each) => (each as unknown[])[1] === 'register')).toHaveLength(2);
    expect(asked.filter((each) => (each as unknown[])[0] === 'node')).toHaveLength(2);
  });

  it('reads what its agent has, and the checks of it', async () => {
    checks = { a: OWN, b: { ...OWN, CheckID: 'other', ServiceID: 'other' } };
    const record = await open().read(REGISTRATION, signal);
    expect(record).toMatchObject({ service: 'web', address: '10.0.0.1', port: 80, status: 'passing' });
    expect(record?.checks).toEqual([{ id: 'web-1:ttl', name: 'TTL', notes: '' }]);
    held = undefined;
    expect(await open().read(REGISTRATION, signal)).toBeUndefined();
    expect(logger.lines).toEqual([]);
  });

  it('looks for its checks at the other agents, where the first has none of them', async () => {
    checks = {};
    checksElsewhere = { a: OWN };
    expect((await open().read(REGISTRATION, signal))?.checks).toHaveLength(1);
    checksElsewhere = undefined;
    expect((await open().read(REGISTRATION, signal))?.checks).toEqual([]);
    asked = [];
    await open().read({ ...REGISTRATION, checks: [] }, signal);
    expect(asked).toEqual([['own', 'service', 'web-1']]);
  });

  it('warns once that an address leads to several agents', async () => {
    state.reachesSeveralAgents = true;
    const registry = open();
    for (let n = 0; n < 3; n++) await registry.read(REGISTRATION, signal);
    expect(logger.lines).toEqual([
      expect.stringMatching(/^warn http:\/\/127.0.0.1:8500 leads to several Consul agents/),
    ]);
  });

  it.each([
    ['other', 'the service "other"'],
    ['', 'the node'],
  ])('takes no check of another service: of %j', async (ServiceID, owner) => {
    checks = { a: { ...OWN, ServiceID } };
    await expect(open().read(REGISTRATION, signal)).rejects.toMatchObject({
      code: 'RK_ID_CONFLICT',
      message: expect.stringContaining(`the check "web-1:ttl" belongs to ${owner}`),
      hint: 'Give the check of "web-1" another id, in service.check.id',
    });
  });

  describe('deregisters', () => {
    const steps = (): unknown[] =>
      asked.map((each) => (each as unknown[]).slice(0, 3)).filter(([name]) => name !== 'listed');

    it('what is not listed then', async () => {
      await settled(open().deregister(REGISTRATION, signal));
      expect(steps()).toEqual([['own', 'deregister', 'web-1']]);
    });

    it('and leaves it, where another process has registered it since', async () => {
      listed = Array.from({ length: 100 }, () => ['web-1']);
      await settled(open().deregister(REGISTRATION, signal));
      expect(steps()).toEqual([
        ['own', 'deregister', 'web-1'],
        ['own', 'service', 'web-1'],
      ]);
    });

    it('once more with the present token, what the catalog goes on to list', async () => {
      held = undefined;
      listed = Array.from({ length: 1_000 }, () => ['web-1']);
      await expect(settled(open().deregister(REGISTRATION, signal))).rejects.toMatchObject({
        code: 'RK_REGISTRY_ERROR',
        message: expect.stringContaining('the catalog still lists "web-1"'),
        retryable: false,
      });
      expect(steps()).toEqual([
        ['own', 'deregister', 'web-1'],
        ['own', 'service', 'web-1'],
        ['own', 'register', 'web-1'],
        ['own', 'deregister', 'web-1'],
      ]);
      expect(asked.find((each) => (each as unknown[])[1] === 'register')).toEqual([
        ...['own', 'register', 'web-1', undefined],
        [{ CheckID: 'web-1:leaving', TTL: '1m', Status: 'critical', DeregisterCriticalServiceAfter: '1m' }],
      ]);
    });

    it('at the agent that has it, where several are behind one address', async () => {
      state.reachesSeveralAgents = true;
      checksElsewhere = {};
      listed = Array.from({ length: 1_000 }, () => ['web-1']);
      await settled(open().deregister(REGISTRATION, signal)).catch(() => undefined);
      expect(steps().slice(0, 5)).toEqual([
        ['each', 'web-1'],
        ['other', 'deregister', 'web-1'],
        ['own', 'service', 'web-1'],
        ['each', 'web-1'],
        ['other', 'deregister', 'web-1'],
      ]);
    });
  });

  it('waits for a change of what it has read, and not of another record', async () => {
    const registry = open();
    const statuses: InstanceStatus[] = [];
    const wait = (record: RegistrationRecord): Promise<unknown> =>
      registry.waitForChange(REGISTRATION, record, (status) => statuses.push(status), signal);
    const record = await registry.read(REGISTRATION, signal);
    if (!record) throw new Error('it is there');
    expect(await wait({ ...record })).toBe('changed');
    let change: unknown = 'none';
    wait(record).then(
      (found) => (change = found),
      () => undefined,
    );
    await settle();
    expect(change).toBe('none');
    expect(asked).toContainEqual(['node', 'host-1']);
  });

  it('wakes when the token has changed', async () => {
    state.tokenVersion = 1;
    const registry = open();
    const record = await registry.read(REGISTRATION, signal);
    let change: unknown = 'none';
    if (record)
      registry
        .waitForChange(REGISTRATION, record, () => undefined, signal)
        .then(
          (found) => (change = found),
          () => undefined,
        );
    await clock.advance(60_000);
    expect(change).toBe('none');
    state.tokenVersion = 2;
    await clock.advance(60_000);
    expect(change).toBe('changed');
  });

  it('reports, and begins and ends maintenance', async () => {
    const registry = open();
    await registry.report('web-1:ttl', 'warning', 'slow', signal);
    await registry.setMaintenance('web-1', 'update', signal);
    await registry.setMaintenance('web-1', undefined, signal);
    expect(asked).toEqual([
      ['own', 'report', 'web-1:ttl', 'warning', 'slow', 3_000],
      ['own', 'maintenance', 'web-1', true, 'update'],
      ['own', 'maintenance', 'web-1', false, undefined],
    ]);
  });

  it('knows whether there is a leader, and which services there are', async () => {
    const registry = open();
    expect(await registry.ping(signal)).toEqual({ leader: true });
    leader = undefined;
    expect(await registry.ping(signal)).toEqual({ leader: false });
    expect(await registry.services(signal)).toEqual({ web: ['v1'] });
    names = {};
    await expect(registry.services(signal)).rejects.toMatchObject({ code: 'RK_ACL_DENIED' });
  });

  it('says nothing of a prepared query, and of others what Consul knows', async () => {
    const registry = open();
    expect(await registry.diagnose('web', { preparedQuery: true }, signal)).toBeUndefined();
    names = { consul: [] };
    expect(await registry.diagnose('web', {}, signal)).toContain(
      'the token may not read the instances of "web"',
    );
  });
});
