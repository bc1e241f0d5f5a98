import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, it, describe } from '@jest/globals';
import {
  AlertsModule,
  ConsulModule,
  DiscoveryEvents,
  LockService,
  RegistrationService,
  ServiceClientFactory,
  webhookSink,
} from '@rookery/consul';
import { consulConfig, ConsulConfig } from '@rookery/consul/config';
import { DashboardModule } from '@rookery/dashboard';
import { eventually, freePorts, startTestConsul, type TestConsul } from '@rookery/test-support';
import { z } from 'zod';
import { runCommand } from './command-line.js';
import { configModule } from './config-app.js';
import { TelemetrySdk } from './telemetry-sdk.js';
import { rootModule, startApp, type TestApp } from './test-app.js';

/** Each is in one place only, so that what leaks says from where. */
const SECRETS = {
  header: 'secret-of-a-header',
  cookie: 'secret-of-a-cookie',
  query: 'secret-of-a-query',
  body: 'secret-of-a-body',
  answered: 'secret-of-an-answer',
  answeredHeader: 'secret-of-an-answered-header',
  config: 'secret-of-the-configuration',
  webhook: 'secret-of-a-webhook',
  webhookHeader: 'secret-of-a-header-of-a-webhook',
  peers: 'secret-of-the-peers-of-a-page',
} as const;

/** A service whose answers have secrets, as those of a service that logs in its users. */
async function startUpstream(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('set-cookie', `session=${SECRETS.answeredHeader}`);
    const { url = '' } = request;
    response.statusCode = url.startsWith('/login') ? 200 : 500;
    // What a sink answers is shown: it says why it takes no alert.
    response.end(url.startsWith('/hook') ? 'no' : JSON.stringify({ password: SECRETS.answered }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('secrets of calls, configuration and sinks', () => {
  const token = randomUUID();
  let consul: TestConsul;
  let upstream: Server;
  let sdk: TelemetrySdk;
  let started: TestApp;
  beforeAll(async () => {
    consul = await startTestConsul({ token });
    upstream = await startUpstream();
    sdk = new TelemetrySdk().start();
    const [closed = 0] = await freePorts(1);
    const { port } = upstream.address() as AddressInfo;
    for (const [ID, Port] of Object.entries({ alive: port, dead: closed }))
      await consul.request('PUT', '/v1/agent/service/register', {
        ID,
        Name: 'accounts',
        Address: '127.0.0.1',
        Port,
      });
    const key = '/v1/kv/config/shop/data';
    await consul.request('PUT', key, `{"db": {"password": "${SECRETS.config}"}, "size": 1}`);
    const schema = z.object({ db: z.object({ password: z.string() }), size: z.coerce.number() });
    const config = consulConfig({
      name: 'shop',
      format: 'json',
      schema,
      agent: { url: consul.url, token },
    });
    started = await startApp(
      rootModule([
        configModule([config]),
        ConsulModule.forRoot({
          agent: { url: consul.url, token },
          service: { name: 'shop', id: 'shop-1' },
          shutdown: { drainTimeout: 0 },
        }),
        AlertsModule.forRoot({
          rules: [
            { type: 'instances', service: 'accounts', atLeast: 3, for: 0 },
            { type: 'errors', service: 'accounts', above: 0.1, minimumCalls: 1, for: 0 },
          ],
          sinks: [
            webhookSink({
              url: `http://127.0.0.1:${port}/hook/${SECRETS.webhook}`,
              headers: { 'x-key': SECRETS.webhookHeader },
            }),
          ],
          interval: '100ms',
          groupWait: '50ms',
        }),
        DashboardModule.forRoot({ scope: 'all', peers: { secret: SECRETS.peers } }),
      ]),
    );
    await started.app.get(RegistrationService).whenRegistered();
  }, 60_000);
  afterAll(async () => {
    await started.app.close();
    upstream.closeAllConnections();
    upstream.close();
    sdk.stop();
    await consul.stop();
  });

  it('are in no event, log, metric, trace or alert, not on the page, and not in the output of a command', async () => {
    const { app, url, logger } = started;
    const http = app.get(ServiceClientFactory).create('accounts', { strategy: 'round-robin' }).axiosRef;
    const headers = { authorization: `Bearer ${SECRETS.header}`, cookie: SECRETS.cookie };
    for (let n = 0; n < 30; n++)
      await http
        .post(`/${n % 2 ? 'fails' : 'login'}?token=${SECRETS.query}`, { password: SECRETS.body }, { headers })
        .catch(() => undefined);
    await app.get(LockService).withLock('jobs/report', async () => undefined);
    await consul.request(
      'PUT',
      '/v1/kv/config/shop/data',
      `{"db": {"password": "${SECRETS.config}-2"}, "size": "no number"}`,
    );
    await eventually(() => app.get(ConsulConfig).problems.length > 0);
    const { history } = app.get(DiscoveryEvents);
    const types = (): string[] => app.get(DiscoveryEvents).history.map(({ type }) => type);
    for (const type of ['instance.ejected', 'alert.firing', 'config.invalid'])
      await eventually(() => types().includes(type)).catch(() => {
        throw new Error(`no ${type}: ${[...new Set(types())].join(', ')}`);
      });

    await eventually(() => logger.matching(/alerts cannot be sent to /).length > 0);

    const page = async (path: string): Promise<string> => (await fetch(`${url}${path}`)).text();
    const command = async (...args: string[]): Promise<string> => {
      const { out, err } = await runCommand(args, consul.url, { CONSUL_HTTP_TOKEN: token });
      return out + err;
    };
    const shown: Readonly<Record<string, unknown>> = {
      events: [history, app.get(DiscoveryEvents).history],
      logs: logger.lines,
      metrics: await sdk.metrics(),
      traces: sdk.spans().map(({ name, attributes, events, status }) => [name, attributes, events, status]),
      alerts: app.get(AlertsModule).firing,
      page: [await page('/rookery'), await page('/rookery/state'), await page('/rookery/explain/accounts')],
      health: await page('/health'),
      status: await command('status', '--json'),
      services: await command('services'),
      explain: [await command('explain', 'accounts'), await command('explain', 'accounts', '--app', url)],
      doctor: await command('doctor', '--app', url),
    };
    for (const [where, value] of Object.entries(shown)) {
      const text =
        typeof value === 'string'
          ? value
          : inspect(value, { depth: 20, maxArrayLength: null, maxStringLength: null });
      expect(text.length).toBeGreaterThan(50);
      const leaked = Object.entries({ ...SECRETS, token }).filter(([, secret]) => text.includes(secret));
      expect({ [where]: leaked.map(([name]) => name) }).toEqual({ [where]: [] });
    }
  }, 60_000);
});
