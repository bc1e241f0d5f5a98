import { describe, expect, it } from '@jest/globals';
import { thrownBy } from '@rookery/test-support';
import { resolveConsulConfig } from './config/consul-config-options.js';
import { isOfConsul } from './config/consul-config-options.js';
import { resolveConsulOptions, type ConsulModuleOptions } from './consul-module-options.js';

describe.each([
  ['ConsulModule', resolveConsulOptions as (options: object, environment: NodeJS.ProcessEnv) => object],
  ['consulConfig', resolveConsulConfig as (options: object, environment: NodeJS.ProcessEnv) => object],
])('the options of %s', (name, resolve) => {
  const messageOf = async (options: unknown, environment: NodeJS.ProcessEnv = {}): Promise<string> => {
    const error = await thrownBy((async () => resolve(options as object, environment))());
    expect(error).toMatchObject({ code: 'RK_CONFIG_INVALID' });
    return error.message;
  };

  it('are an object', async () => {
    for (const options of [7, 'x', null]) {
      const message = await messageOf(options, { CONSUL_HTTP_SSL: 'maybe' });
      expect(message).toContain(name);
      expect(message).toContain('must be an object; {} takes every default');
      expect(message).not.toContain('CONSUL_HTTP_SSL');
    }
  });

  it('have an agent, which is checked together with the environment', async () => {
    expect(await messageOf({ agent: true }, { CONSUL_HTTP_SSL: 'maybe' })).toMatch(
      /agent = true: must be an object such as \{ url: (?!.*CONSUL_HTTP_SSL)/s,
    );
    const message = await messageOf({ agent: { timeout: 'soon' }, frob: 1 });
    expect(message).toMatch(/agent\.timeout = "soon": must be a duration/);
    expect(message).toMatch(/frob/);
    expect(await messageOf({ frob: 1 }, { CONSUL_HTTP_SSL: 'maybe' })).toMatch(
      /CONSUL_HTTP_SSL = "maybe": must be 'true' or 'false'/,
    );
  });

  it('are complete with the environment', () => {
    const environment = { CONSUL_HTTP_ADDR: 'consul:1' };
    const resolved = resolve({}, environment) as { agent?: unknown; resolvedAgent?: unknown };
    expect(resolved.agent ?? resolved.resolvedAgent).toMatchObject({
      address: { origin: 'http://consul:1' },
    });
  });
});

describe('the options of ConsulModule alone', () => {
  const issuesOf = async (options: ConsulModuleOptions): Promise<string> =>
    (await thrownBy((async () => resolveConsulOptions(options, {}))())).message;

  it('have locks, which are checked as a whole when each of them is right', async () => {
    expect(await issuesOf({ locks: { ttl: 'soon' as never } })).toMatch(/locks\.ttl = "soon"/);
    expect(await issuesOf({ locks: { ttl: '1s' } })).toMatch(/locks\.ttl/);
    expect(resolveConsulOptions({ locks: { ttl: '20s' } }, {}).locks).toEqual({ ttl: '20s' });
  });

  it('have a part in Consul Connect, when everything else is right', async () => {
    const connect = { native: true };
    expect(await issuesOf({ connect })).toMatch(/connect\.native = true: needs service\.name/);
    expect(await issuesOf({ connect, locks: { ttl: 'soon' as never } })).not.toMatch(/connect/);
    const { connectSettings, ...rest } = resolveConsulOptions({ connect, service: { name: 'web' } }, {});
    expect(connectSettings).toEqual({ service: 'web', checks: 'port', checkPort: 0 });
    expect(rest).toEqual({ service: { name: 'web' }, resolvedAgent: expect.anything() });
    expect(resolveConsulOptions({}, {}).connectSettings).toBeUndefined();
  });
});

describe('the options of consulConfig alone', () => {
  it('name their layout, the datacenter and the registry', async () => {
    const resolved = resolveConsulConfig({ name: 'web', datacenter: 'dc2' }, {});
    expect(resolved).toMatchObject({ datacenter: 'dc2', paths: ['config/application/', 'config/web/'] });
    expect(isOfConsul(resolved)).toBe(true);
    expect(isOfConsul({ ...resolved, names: { ...resolved.names, factory: 'etcdConfig' } })).toBe(false);
    const resolve = (options: object): unknown => resolveConsulConfig(options, {});
    expect(() => resolve({ prefix: '/config' })).toThrow(/prefix = "\/config"/);
    expect(() => resolve({ datacenter: '' })).toThrow(/datacenter = "": must be the name of a datacenter/);
    expect(() => resolve({ name: 'a//b' })).toThrow(/name = "a\/\/b"/);
  });
});
