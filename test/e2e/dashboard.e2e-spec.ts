import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DashboardModule, type AppState, type DashboardOptions } from '@rookery/dashboard';
import { DiscoveryEvents, DiscoveryService, RegistrationService } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually, TestCertificates, thrownBy } from '@rookery/test-support';
import { signFor } from '#libs/dashboard/dist/peer-signature.js';
import { PLATFORMS, rootModule, startApp, type Platform, type TestApp } from './test-app.js';

@Injectable()
class AdminGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    if (headers.authorization === 'Bearer admin') return true;
    throw new ForbiddenException('not for you');
  }
}

const ROUTES = ['', '/state', '/stream', '/explain/books'];

describe.each(PLATFORMS)('the dashboard, on %s', (platform: Platform) => {
  const apps: TestApp[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map(({ app }) => app.close()));
  });

  const start = async (
    options: DashboardOptions = {},
    registry = new InMemoryRegistry(),
  ): Promise<TestApp> => {
    const useFactory = () => ({
      registry,
      service: { name: 'shop', id: `shop-${apps.length}` },
      shutdown: { drainTimeout: 0 },
    });
    const imports = [DiscoveryModule.forRootAsync({ useFactory }), DashboardModule.forRoot(options)];
    const started = await startApp(rootModule(imports), { platform });
    apps.push(started);
    return started;
  };
  /** As a stranger sends it: through a proxy, or for another host. */
  const status = (
    url: string,
    headers: Record<string, string> = {},
    method = 'GET',
    body?: string,
  ): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(
        url,
        { method, headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers } },
        (response) => {
          resolve(response.statusCode ?? 0);
          response.destroy();
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });

  it('is one page that loads nothing from elsewhere', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/rookery`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/html');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(
      /default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src 'sha256-[\w+/=]+'; connect-src 'self'/,
    );
    const page = await response.text();
    expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
  });

  it('is for this host, and a stranger gets 403 and learns nothing', async () => {
    const { url } = await start();
    for (const route of ROUTES) {
      expect(await status(`${url}/rookery${route}`)).toBe(200);
      expect(await status(`${url}/rookery${route}`, { 'x-forwarded-for': '203.0.113.7' })).toBe(403);
      expect(await status(`${url}/rookery${route}`, { host: 'attacker.example' })).toBe(403);
      // In the browser of a developer: a page of another site, whatever this app lets in elsewhere.
      expect(await status(`${url}/rookery${route}`, { origin: 'https://attacker.example' })).toBe(403);
      expect(await status(`${url}/rookery${route}`, { 'sec-fetch-site': 'cross-site' })).toBe(403);
    }
    const refused = await fetch(`${url}/rookery/state`, { headers: { 'x-forwarded-for': '203.0.113.7' } });
    expect(await refused.text()).not.toMatch(/shop/);
    expect(await status(`${url}/rookery/peer`)).toBe(403);
  });

  it('is behind the guards of the app, which decide alone', async () => {
    const { url } = await start({ guards: [AdminGuard], operations: true });
    for (const route of ROUTES) {
      expect(await status(`${url}/rookery${route}`)).toBe(403);
      const headers = { authorization: 'Bearer admin', 'x-forwarded-for': '203.0.113.7' };
      expect(await status(`${url}/rookery${route}`, headers)).toBe(200);
    }
    expect(await status(`${url}/rookery/operations/drain`, { 'rookery-operation': '1' }, 'POST', '{}')).toBe(
      403,
    );
  });

  it('changes nothing unless it may, and not for a form of another site', async () => {
    const registry = new InMemoryRegistry();
    const { url } = await start({}, registry);
    const operation = { 'rookery-operation': '1' };
    const maintenance = `${url}/rookery/operations/maintenance`;
    expect(await status(maintenance, operation, 'POST', '{"on":true}')).toBe(403);
    const { url: open, app } = await start({ operations: true }, registry);
    await app.get(RegistrationService).whenRegistered();
    const at = `${open}/rookery/operations`;
    expect(await status(`${at}/maintenance`, {}, 'POST', '{"on":true}')).toBe(403);
    expect(await status(`${at}/maintenance`, operation, 'POST', '{"on":"yes"}')).toBe(400);
    expect(await status(`${at}/restart`, operation, 'POST', '{}')).toBe(400);
    expect(await status(`${at}/maintenance`, operation, 'POST', '{"on":true,"reason":"disk"}')).toBe(200);
    const events = () => app.get(DiscoveryEvents).history.map(({ type }) => type);
    expect(events()).toContain('maintenance.started');
    expect(await status(`${at}/maintenance`, operation, 'POST', '{"on":false}')).toBe(200);
    expect(events()).toContain('maintenance.ended');
    expect(await status(`${at}/uneject`, operation, 'POST', '{"service":"books","instance":"a"}')).toBe(200);
  });

  it('takes an ejected instance back', async () => {
    const registry = new InMemoryRegistry();
    for (const id of ['a', 'b', 'c']) registry.put({ id, service: 'books', address: '127.0.0.1', port: 1 });
    const { url, app } = await start({ operations: true }, registry);
    const discovery = app.get(DiscoveryService);
    for (let n = 0; n < 30; n++)
      await discovery
        .call(
          'books',
          async ({ id }) => {
            if (id === 'a') throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
          },
          { strategy: 'round-robin' },
        )
        .catch(() => undefined);
    const stateOf = async (): Promise<string | undefined> =>
      ((await (await fetch(`${url}/rookery/state`)).json()) as AppState).services
        .find(({ name }) => name === 'books')
        ?.instances.find(({ id }) => id === 'a')?.state;
    expect(await stateOf()).toBe('ejected');
    const response = await fetch(`${url}/rookery/operations/uneject`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'rookery-operation': '1' },
      body: JSON.stringify({ service: 'books', instance: 'a' }),
    });
    expect(await response.json()).toEqual({ done: true });
    await eventually(async () => (await stateOf()) === 'eligible');
  });

  it('streams the state, what changes, and events; and ends with the app', async () => {
    const registry = new InMemoryRegistry();
    registry.put({ id: 'a', service: 'books', address: '127.0.0.1', port: 1 });
    const { url, app } = await start({}, registry);
    await app.get(DiscoveryService).getInstances('books');
    const messages: { type: string; data: string }[] = [];
    const sent = httpRequest(`${url}/rookery/stream`).end();
    const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream];
    let text = '';
    response.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, type = ''] = /^event: (.*)$/m.exec(block) ?? [];
        const [, data = ''] = /^data: (.*)$/m.exec(block) ?? [];
        if (type) messages.push({ type, data });
      }
    });
    const ended = once(response as NodeJS.EventEmitter, 'close');
    const last = (type: string) => messages.findLast((message) => message.type === type)?.data ?? '';
    await eventually(() => last('state').includes('"books"') && last('events') !== '');
    registry.setStatus('a', 'critical');
    await eventually(() => last('patch').includes('"critical"'), { within: 10_000 });
    await eventually(() =>
      messages.some(({ type, data }) => type === 'events' && data.includes('service.unavailable')),
    );
    apps.splice(
      apps.findIndex((each) => each.app === app),
      1,
    );
    await app.close();
    await ended;
  });

  it("asks the other apps with scope 'all', which answer only to their secret", async () => {
    const registry = new InMemoryRegistry();
    const peers = { secret: 'a-secret-of-the-system' };
    const one = await start({ scope: 'all', peers }, registry);
    await start({ peers }, registry);
    await start({}, registry);
    await Promise.all(apps.map(({ app }) => app.get(RegistrationService).whenRegistered()));
    const { url } = one;
    const other = apps[1]?.url ?? '';
    const { host } = new URL(other);
    const ask = (header: string) => status(`${other}/rookery/peer`, { 'rookery-dashboard': header });
    expect(await ask(peers.secret)).toBe(403);
    expect(await ask(signFor(host, 'another-secret-of-it', Date.now()))).toBe(403);
    expect(await ask(signFor('10.0.0.1:80', peers.secret, Date.now()))).toBe(403);
    expect(await ask(signFor(host, peers.secret, Date.now() - 120_000))).toBe(403);
    expect(await ask(signFor(host, peers.secret, Date.now()))).toBe(200);
    const seen: string[] = [];
    const sent = httpRequest(`${url}/rookery/stream`).end();
    const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream];
    response.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    await eventually(() => /event: system[^]*"id":"shop-1"[^]*"state"/.test(seen.join('')), {
      within: 15_000,
    });
    expect(seen.join('')).toMatch(/"id":"shop-2"[^}]*"error":"it answered 403"/);
    expect(seen.join('')).not.toContain(peers.secret);
    sent.destroy();
  });

  it('asks apps that know each other by their certificates, too, with those of clients.tls', async () => {
    const certificates = await TestCertificates.create('shop');
    const registry = new InMemoryRegistry();
    const own = {
      ca: certificates.pem('ca'),
      cert: certificates.pem('client'),
      key: certificates.pem('client-key'),
    };
    const https = {
      ...{ cert: certificates.pem('server'), key: certificates.pem('server-key'), ca: own.ca },
      ...{ requestCert: true, rejectUnauthorized: true },
    };
    const clients = {
      tls: {
        ...{ caFile: certificates.file('ca'), certFile: certificates.file('client') },
        keyFile: certificates.file('client-key'),
      },
    };
    for (const id of ['shop-0', 'shop-1']) {
      const service = { name: 'shop', id, address: '127.0.0.1' };
      const useFactory = () => ({ registry, clients, service, shutdown: { drainTimeout: 0 } });
      const dashboard = DashboardModule.forRoot({ scope: 'all', peers: { tls: true } });
      const imports = [DiscoveryModule.forRootAsync({ useFactory }), dashboard];
      apps.push(await startApp(rootModule(imports), { platform, https }));
    }
    await Promise.all(apps.map(({ app }) => app.get(RegistrationService).whenRegistered()));
    const seen: string[] = [];
    const sent = httpsRequest(`${apps[0]?.url}/rookery/stream`, own).end();
    const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream];
    response.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    await eventually(() => /event: system[^]*"id":"shop-1"[^]*"state"/.test(seen.join('')));
    sent.destroy();
    certificates.remove();
  });

  it('is off in production, and refuses wrong options', async () => {
    const before = process.env.NODE_ENV;
    process.env.NODE_ENV = 'production';
    try {
      const { url } = await start();
      expect(await status(`${url}/rookery`)).toBe(404);
      const { url: on } = await start({ enabled: true });
      expect(await status(`${on}/rookery`)).toBe(200);
    } finally {
      process.env.NODE_ENV = before;
    }
    const wrong = await thrownBy(async () =>
      DashboardModule.forRoot({ path: 'rookery/', scope: 'system' as never, peers: { secret: 'short' } }),
    );
    expect(String(wrong)).toMatch(
      /DashboardModule: 3 options are wrong[^]*path = "rookery\/"[^]*scope[^]*peers\.secret = \(not shown\)/,
    );
    expect(() => DashboardModule.forRoot({ scope: 'all' })).toThrow(/peers: is missing/);
    const late = DashboardModule.forRootAsync({
      useFactory: async () => ({ guards: [AdminGuard] }) as DashboardOptions,
    });
    const registry = new InMemoryRegistry();
    const useFactory = () => ({ registry });
    const starting = startApp(rootModule([DiscoveryModule.forRootAsync({ useFactory }), late]), { platform });
    await expect(starting).rejects.toThrow(/guards: is known too late from useFactory/);
    const nothing = DashboardModule.forRootAsync({ useFactory: () => undefined as never });
    await expect(
      startApp(rootModule([DiscoveryModule.forRootAsync({ useFactory }), nothing]), { platform }),
    ).rejects.toThrow(/DashboardModule: 1 option is wrong/);
  });
});
