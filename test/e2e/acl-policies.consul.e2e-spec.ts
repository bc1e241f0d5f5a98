import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConsulKv,
  ConsulModule,
  connectHttpsOptions,
  DiscoveryEvents,
  DiscoveryService,
  HealthService,
  LeaderElections,
  LockService,
  RegistrationService,
  type ConsulModuleOptions,
} from '@rookery/consul';
import { ConsulConnect } from '#libs/consul/dist/connect/consul-connect.js';
import { consulConfig } from '@rookery/consul/config';
import { ConsulAgent, eventually, thrownBy } from '@rookery/test-support';
import { runCommand } from './command-line.js';
import { startConfigApp } from './config-app.js';
import { createApp, rootModule } from './test-app.js';

const MANAGEMENT = randomUUID();
const PAGE = new URL('../../libs/consul/docs/acl.md', import.meta.url);

/** The rules that the page gives for each feature. */
function documentedPolicies(): ReadonlyMap<string, readonly string[]> {
  const blocks = readFileSync(PAGE, 'utf8').matchAll(/^## (?<feature>.+)\n+```hcl\n(?<rules>[^`]+)```/gm);
  return new Map(
    [...blocks].map(({ groups: { feature = '', rules = '' } = {} }) => [feature, rules.trim().split('\n')]),
  );
}

/** The rule itself, or one that it includes: for a single key, say, below its prefix. */
function naming(rule: string): RegExp {
  const {
    resource = '',
    name = '',
    access = '',
  } = /^(?<resource>\w+?)(_prefix)? "(?<name>.*)" \{ policy = "(?<access>\w+)" \}$/.exec(rule)?.groups ?? {};
  const isPrefix = rule.startsWith(`${resource}_prefix`);
  return new RegExp(`${resource}(_prefix)? "${name}${isPrefix ? '[^"]*' : ''}" \\{ policy = "${access}" \\}`);
}

describe('the policies that the documentation gives', () => {
  let agent: ConsulAgent;
  const cleanUps: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    agent = await ConsulAgent.start({ token: MANAGEMENT });
    const inventory = { ID: 'inventory-1', Name: 'inventory', Port: 4001 };
    await agent.request('PUT', '/v1/agent/service/register', inventory);
    await agent.request('PUT', '/v1/kv/config/app/limit', '5');
    await agent.request('POST', '/v1/query', { Name: 'stock', Service: { Service: 'inventory' } });
  });
  afterAll(() => agent.stop());
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  /** @returns also a function that gives its policy other rules */
  const changeableToken = async (rules: readonly string[]) => {
    const Name = `test-${randomUUID()}`;
    const made = await agent.request('PUT', '/v1/acl/policy', { Name, Rules: rules.join('\n') });
    const { ID } = made.body as { ID: string };
    const { body } = await agent.request('PUT', '/v1/acl/token', { Policies: [{ Name }] });
    const setRules = (next: readonly string[]): Promise<unknown> =>
      agent.request('PUT', `/v1/acl/policy/${ID}`, { ID, Name, Rules: next.join('\n') });
    return { token: (body as { SecretID: string }).SecretID, setRules };
  };
  const tokenWith = async (rules: readonly string[]): Promise<string> => (await changeableToken(rules)).token;
  const context = async (
    token: string,
    options: ConsulModuleOptions = {},
  ): Promise<INestApplicationContext> => {
    const consul = ConsulModule.forRoot({ ...options, agent: { url: agent.url, token } });
    const app = await NestFactory.createApplicationContext(rootModule([consul]), { logger: false });
    cleanUps.push(() => app.close());
    return app;
  };

  /** Each uses a feature, and says whether it worked, or why not. */
  const FEATURES: Readonly<Record<string, (token: string) => Promise<boolean>>> = {
    Registration: async (token) => {
      const consul = ConsulModule.forRoot({
        agent: { url: agent.url, token },
        service: {
          name: 'storefront',
          check: [
            { type: 'ttl', ttl: '10s' },
            { type: 'http', interval: '10s' },
          ],
        },
      });
      const { app } = await createApp(rootModule([consul]));
      await app.listen(0);
      const registration = app.get(RegistrationService);
      const { reason } = await eventually(() => {
        const { status } = registration;
        return status.state === 'registered' || status.reason !== undefined ? status : undefined;
      });
      const isListed = async (): Promise<boolean> => {
        const { body } = await agent.request('GET', '/v1/health/service/storefront');
        return (body as unknown[]).length === 1;
      };
      if (reason === undefined) {
        await eventually(isListed);
        await registration.setMaintenance(true, 'testing');
      }
      await app.close();
      if (reason !== undefined) throw new Error(reason);
      return !(await isListed());
    },
    Discovery: async (token) => {
      const instances = await (await context(token)).get(DiscoveryService).getInstances('inventory');
      return instances.length === 1;
    },
    'All names of services': async (token) => {
      return (await (await context(token)).get(DiscoveryService).getServices()).includes('inventory');
    },
    'Prepared queries': async (token) => {
      const discovery = (await context(token)).get(DiscoveryService);
      return (await discovery.getInstances('stock', { preparedQuery: true })).length === 1;
    },
    Configuration: async (token) => {
      const load = consulConfig({ agent: { url: agent.url, token }, prefix: 'config', name: 'app' });
      const { app, config, logger } = await startConfigApp(agent.url, [load]);
      cleanUps.push(() => app.close());
      if (config.get('limit') !== 5) throw new Error(logger.lines.join('\n'));
      return true;
    },
    'Keys and values': async (token) => {
      const kv = (await context(token)).get(ConsulKv);
      await kv.put('app/mode', 'on');
      const [mode] = await kv.list('app/');
      await kv.delete('app/mode');
      return mode?.value === 'on';
    },
    Locks: async (token) => {
      const locks = (await context(token)).get(LockService);
      return locks.withLock('locks/orders/7', async ({ isHeld }) => isHeld, { waitFor: '2s' });
    },
    'Consul Connect': async (token) => {
      const consul = ConsulModule.forRoot({
        agent: { url: agent.url, token },
        service: { name: 'storefront' },
        connect: { native: true },
      });
      const { app, logger } = await createApp(rootModule([consul]), 'express', connectHttpsOptions());
      const listening = app.listen(0);
      cleanUps.push(() => listening.then(() => app.close()));
      const refusals = (): string[] => logger.matching(/ConsulConnect/);
      const connect = app.get(ConsulConnect);
      await eventually(() => connect.isReady || refusals().length > 0);
      if (!connect.isReady) throw new Error(refusals().join('\n'));
      await listening;
      const { status } = await app.get(HealthService).check('readiness');
      return status === 'ok';
    },
    'Leader election': async (token) => {
      const consul = ConsulModule.forRoot({ agent: { url: agent.url, token } });
      const { app, logger } = await createApp(rootModule([consul]));
      await app.init();
      cleanUps.push(() => app.close());
      const election = app.get(LeaderElections).of('leaders/nightly');
      const refusals = (): string[] => logger.matching(/cannot take part in the election/);
      await eventually(() => election.isLeader || refusals().length > 0);
      if (!election.isLeader) throw new Error(refusals().join('\n'));
      return true;
    },
    'The commands `rookery doctor` and `rookery status`': async (token) => {
      const { out } = await runCommand(['doctor'], agent.url, { CONSUL_HTTP_TOKEN: token });
      if (!/^ok +agent:/m.test(out)) throw new Error(out);
      const status = await runCommand(['status'], agent.url, { CONSUL_HTTP_TOKEN: token });
      if (!status.out.startsWith('Consul ')) throw new Error(status.err);
      return true;
    },
  };

  it('are those of features that are tested here', () => {
    expect([...documentedPolicies().keys()].sort()).toEqual(Object.keys(FEATURES).sort());
  });

  describe.each([...documentedPolicies()])('%s', (feature, rules) => {
    it('works with them', async () => {
      expect(await FEATURES[feature]?.(await tokenWith(rules))).toBe(true);
    }, 30_000);

    it.each(rules)(
      'names the rule %s where it is missing',
      async (rule) => {
        const token = await tokenWith(rules.filter((each) => each !== rule));
        const error = await thrownBy(() => FEATURES[feature]?.(token));
        const { message = '', hint = '' } = error as { message?: string; hint?: string };
        expect(`${message} ${hint}`).toMatch(naming(rule));
      },
      30_000,
    );
  });

  it('a service that is not registered is not said to lack a right', async () => {
    const token = await tokenWith([
      'service "absent" { policy = "read" }',
      'node_prefix "" { policy = "read" }',
    ]);
    const discovery = (await context(token)).get(DiscoveryService);
    expect(await discovery.getInstances('absent')).toEqual([]);
    expect(await thrownBy(() => discovery.choose('absent'))).toMatchObject({
      code: 'RK_NO_INSTANCES',
      hint: expect.stringContaining('The registry lists none'),
    });
  });

  it('a token that may only register is told that it may not discover', async () => {
    const token = await tokenWith(['service "inventory" { policy = "write" }']);
    const discovery = (await context(token)).get(DiscoveryService);
    for (const service of ['inventory', 'other'])
      expect(await thrownBy(() => discovery.choose(service))).toMatchObject({
        code: 'RK_ACL_DENIED',
        message: expect.stringMatching(
          new RegExp(
            `may not read the instances of "${service}"\\. Add .*node_prefix "" { policy = "read" }`,
          ),
        ),
      });
  });

  it('a token that may read some nodes is not said to lack the others, where a filter leaves out all', async () => {
    const token = await tokenWith([
      'service "inventory" { policy = "read" }',
      `node_prefix "${agent.node.slice(0, 4)}" { policy = "read" }`,
    ]);
    const discovery = (await context(token)).get(DiscoveryService);
    expect(await discovery.getInstances('inventory')).toHaveLength(1);
    expect(await discovery.getInstances('inventory', { filter: 'Service.Meta.tier == "gold"' })).toEqual([]);
  });

  it('a token that loses a right costs no instance, and needs no restart when it has it again', async () => {
    const rules = documentedPolicies().get('Discovery') ?? [];
    const { token, setRules } = await changeableToken(rules);
    const app = await context(token);
    const discovery = app.get(DiscoveryService);
    const ports = async (): Promise<number[]> =>
      (await discovery.getInstances('inventory')).map(({ port }) => port);
    expect(await ports()).toEqual([4001]);
    const denied = (): boolean =>
      app
        .get(DiscoveryEvents)
        .history.some((event) => JSON.stringify(event).includes('may not read the instances'));
    await setRules(rules.slice(0, 1));
    // Any change of the service ends the blocking query.
    const touch = (port: number): Promise<unknown> =>
      agent.request('PUT', '/v1/agent/service/register', {
        ID: 'inventory-1',
        Name: 'inventory',
        Port: port,
      });
    await touch(4002);
    await eventually(denied, { within: 20_000 });
    expect(await ports()).toEqual([4001]);
    await setRules(rules);
    await touch(4003);
    await eventually(async () => (await ports())[0] === 4003, { within: 90_000 });
    await touch(4001);
  }, 120_000);

  it('an app with fail-fast does not start with a token that is refused, which it does not tell', async () => {
    const token = randomUUID();
    const options = { agent: { url: agent.url, token }, service: { name: 'refused' } };
    const open = async (startup: 'fail-fast' | 'background'): Promise<void> => {
      const { app } = await createApp(rootModule([ConsulModule.forRoot({ ...options, startup })]));
      cleanUps.push(() => app.close());
      await app.listen(0);
    };
    const refused = await thrownBy(() => open('fail-fast'));
    expect(refused).toMatchObject({ code: 'RK_ACL_DENIED' });
    expect(JSON.stringify(refused) + String(refused)).not.toContain(token);
    await open('background');
    const { body } = await agent.request('GET', '/v1/agent/services');
    expect(JSON.stringify(body)).not.toContain('refused');
  });

  it('doctor says which rights a token lacks', async () => {
    const token = await tokenWith([
      'agent_prefix "" { policy = "read" }',
      'session_prefix "" { policy = "write" }',
    ]);
    const { out } = await runCommand(['doctor'], agent.url, { CONSUL_HTTP_TOKEN: token });
    expect(out).toMatch(
      /^warning +token: it may not find every service, see instances, read live configuration$/m,
    );
    expect(out).toContain('add service_prefix "" { policy = "read" } and node_prefix');
  });
});
