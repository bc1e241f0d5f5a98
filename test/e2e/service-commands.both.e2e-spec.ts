import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, DiscoveryService, RegistrationService } from '@rookery/consul';
import { eventually, freePorts, startTestConsul, type TestConsul } from '@rookery/test-support';
import { runCommand, startCommand } from './command-line.js';
import { rootModule, startApp, type TestApp } from './test-app.js';

describe('the command rookery, for services', () => {
  let consul: TestConsul;
  let started: TestApp;
  beforeAll(async () => {
    consul = await startTestConsul();
    started = await startApp(
      rootModule([
        ConsulModule.forRoot({
          agent: { url: consul.url },
          service: { name: 'shop', id: 'shop-1', check: { type: 'ttl' } },
          shutdown: { drainTimeout: 0 },
        }),
      ]),
    );
    await started.app.get(RegistrationService).whenRegistered();
    await consul.request('PUT', '/v1/agent/service/register', {
      Name: 'inventory',
      ID: 'inventory-\u001b[31m1',
      Address: '127.0.0.1',
      Port: 1,
      Check: { CheckID: 'c', Name: 'disk', TTL: '1h', Status: 'passing' },
    });
    await consul.request('PUT', '/v1/agent/check/fail/c?note=full');
    await started.app.get(DiscoveryService).getInstances('shop');
    await started.app.get(DiscoveryService).getInstances('inventory');
  }, 60_000);
  afterAll(async () => {
    await started.app.close();
    await consul.stop();
  });
  const rookery = (...args: string[]) => runCommand(args, consul.url);

  it('status shows the agent and what is registered with it', async () => {
    const { code, out } = await rookery('status');
    expect(out).toMatch(/^Consul [\d.]+.* at https?:\/\/127\.0\.0\.1:\d+, node \S+, datacenter dc1, leader /);
    expect(out).toMatch(/INSTANCE +SERVICE +ADDRESS +STATUS +WHAT FAILS/);
    expect(out).toMatch(/shop-1 +shop +\S+:\d+ +passing/);
    expect(out).toMatch(/inventory- \[31m1 +inventory +127\.0\.0\.1:1 +critical +disk: full/);
    expect(out).not.toContain('\u001b');
    expect(code).toBe(1);
    const { instances } = JSON.parse((await rookery('status', '--json')).out) as {
      instances: { id: string; status: string }[];
    };
    expect(instances.find(({ id }) => id === 'shop-1')?.status).toBe('passing');
  });

  it('services counts the instances of each', async () => {
    const { code, out } = await rookery('services');
    expect(out).toMatch(/SERVICE +PASSING +WARNING +CRITICAL +MAINTENANCE/);
    expect(out).toMatch(/shop +1 +0 +0 +0/);
    expect(out).toMatch(/inventory +0 +0 +1 +0/);
    expect(code).toBe(1);
    expect(JSON.parse((await rookery('services', '--json')).out)).toContainEqual(
      expect.objectContaining({ service: 'inventory', critical: 1 }),
    );
  });

  it('explain says what the checks say, and why an app calls an instance or not', async () => {
    const fromConsul = await rookery('explain', 'inventory');
    expect(fromConsul.out).toMatch(/critical +disk: full/);
    expect(fromConsul.code).toBe(1);
    const app = await rookery('explain', 'inventory', '--app', started.url);
    expect(app.out).toMatch(/0 of 1 instances usable/);
    expect(app.out).toMatch(/critical +one of its checks, or of its node, is critical/);
    expect((await rookery('explain', 'shop', '--app', started.url)).code).toBe(0);
    expect((await rookery('explain', 'nothing')).out).toContain('Consul lists no instance of "nothing"');
  });

  it('watch shows what changes, until it is interrupted', async () => {
    const watching = startCommand(['watch', 'inventory'], consul.url);
    await eventually(() => watching.result.out.includes('+ inventory-'), { within: 20_000 });
    await consul.request('PUT', '/v1/agent/check/pass/c');
    await eventually(() => /~ inventory-.*critical → passing/.test(watching.result.out), { within: 20_000 });
    watching.interrupt();
    expect((await watching.ended).code).toBe(0);
    await consul.request('PUT', '/v1/agent/check/fail/c?note=full');
  }, 60_000);

  it('doctor looks at everything and says what to do', async () => {
    // The app learns of the failing check a moment after Consul does.
    const { code, out } = await eventually(
      async () => {
        const said = await rookery('doctor', '--app', started.url);
        return said.code === 1 ? said : undefined;
      },
      { within: 20_000 },
    );
    expect(out).toMatch(/^ok +environment: .*CONSUL_HTTP_ADDR/m);
    expect(out).toMatch(/^ok +agent: Consul .* answers in \d+ ms/m);
    // The clock is compared over plain HTTP only.
    const looks = ['leader', 'token', ...(consul.url.startsWith('http:') ? ['clock'] : [])];
    for (const what of looks) expect(out).toMatch(new RegExp(`^ok +${what}: `, 'm'));
    expect(out).toMatch(
      /^warning +registrations: .*inventory-.* is critical: full \| .*127\.0\.0\.1:1 accepts no connection/m,
    );
    expect(out).toMatch(
      /^FAILED +app: .* has no usable instance of inventory\n +→ rookery explain inventory --app/m,
    );
    expect(code).toBe(1);
    const absent = await runCommand(['doctor'], 'http://127.0.0.1:1');
    expect(absent.out).toMatch(/^FAILED +agent: .*ECONNREFUSED[^]*→ /m);
    expect(absent.code).toBe(1);
  }, 30_000);

  it('says what is wrong with a command line', async () => {
    const [closed = 0] = await freePorts(1);
    expect((await rookery('statu')).err).toMatch(/unknown command: statu\. Is it status\?/);
    expect((await rookery('explain')).err).toMatch(/SERVICE is missing/);
    expect((await rookery('explain', 'shop', '--app', 'nowhere')).err).toMatch(/it is no URL/);
    expect((await rookery('explain', 'shop', '--app', `http://127.0.0.1:${closed}`)).err).toMatch(
      /does not answer: .*ECONNREFUSED/,
    );
    expect((await rookery('--help')).out).toMatch(/doctor +whether an app can work here/);
  });
});
