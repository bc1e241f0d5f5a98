import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type AppProcess, ConsulAgent, eventually, figure } from '@rookery/test-support';
import { startFaultApp } from './fault-app.js';
import { startWatching, type WatchingApp } from './watching-app.js';

const MANAGEMENT = '11111111-aaaa-4bbb-8ccc-222222222222';
const RULES =
  'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" }';

interface Token {
  readonly SecretID: string;
  readonly AccessorID: string;
}

describe('a token that is rotated, and whose predecessor is deleted', () => {
  let agent: ConsulAgent;
  let folder: string;
  let app: AppProcess | undefined;
  let watching: WatchingApp | undefined;
  const create = async (): Promise<Token> => {
    const { body } = await agent.request('PUT', '/v1/acl/token', { Policies: [{ Name: 'app' }] });
    return body as Token;
  };
  const remove = (token: Token): Promise<unknown> =>
    agent.request('DELETE', `/v1/acl/token/${token.AccessorID}`);
  const listed = async (service: string, query = ''): Promise<number> =>
    ((await agent.request('GET', `/v1/health/service/${service}${query}`)).body as unknown[]).length;

  beforeAll(async () => {
    agent = await ConsulAgent.start({ token: MANAGEMENT });
    folder = mkdtempSync(join(tmpdir(), 'rookery-rotation-'));
    await agent.request('PUT', '/v1/acl/policy', { Name: 'app', Rules: RULES });
  });
  afterEach(async () => {
    await app?.kill();
    await watching?.close();
    app = watching = undefined;
  });
  afterAll(async () => {
    await agent.stop();
    rmSync(folder, { recursive: true });
  });

  const CHECKS = {
    http: { type: 'http', interval: '1s', timeout: '1s' },
    ttl: { type: 'ttl', ttl: '3s' },
  } as const;
  const startRotated = async (name: keyof typeof CHECKS, service: string): Promise<Token> => {
    const tokenFile = join(folder, service);
    const old = await create();
    writeFileSync(tokenFile, old.SecretID);
    app = await startFaultApp({
      options: { agent: { url: agent.url, tokenFile }, service: { name: service, check: CHECKS[name] } },
    });
    await eventually(async () => (await listed(service, '?passing')) === 1);
    writeFileSync(tokenFile, (await create()).SecretID);
    const rotatedAt = performance.now();
    await eventually(() => app?.output.includes('the token has changed'), { within: 20_000 });
    figure(
      'F46',
      `${name} check: registered again ${Math.round(performance.now() - rotatedAt)} ms after the file changed`,
    );
    await remove(old);
    return old;
  };

  it.each(['http', 'ttl'] as const)(
    'F46 SIGTERM, %s check: nothing is left in the catalog',
    async (check) => {
      await startRotated(check, `term-${check}`);
      await app?.stop();
      expect(app?.output).toMatch(/is deregistered from Consul/);
      expect(await listed(`term-${check}`)).toBe(0);
    },
  );

  it.each(['http', 'ttl'] as const)(
    'F46 SIGKILL, %s check: it stays passing no longer than its check',
    async (check) => {
      await startRotated(check, `kill-${check}`);
      await app?.kill();
      await eventually(async () => (await listed(`kill-${check}`, '?passing')) === 0, { within: 15_000 });
    },
  );

  it('F46 SIGTERM before the app has noticed the rotation: nothing is left either', async () => {
    const tokenFile = join(folder, 'late');
    const old = await create();
    writeFileSync(tokenFile, old.SecretID);
    app = await startFaultApp({
      options: { agent: { url: agent.url, tokenFile }, service: { name: 'late' } },
    });
    await eventually(async () => (await listed('late', '?passing')) === 1);
    writeFileSync(tokenFile, (await create()).SecretID);
    await remove(old);
    await app.stop();
    expect(app.output).not.toMatch(/the token has changed/);
    expect(app.output).toMatch(/is deregistered from Consul/);
    expect(await listed('late')).toBe(0);
  });

  it('F46 SIGTERM while the agent does not know the new token yet: nothing is left either', async () => {
    const tokenFile = join(folder, 'early');
    writeFileSync(tokenFile, (await create()).SecretID);
    app = await startFaultApp({
      options: { agent: { url: agent.url, tokenFile }, service: { name: 'early' } },
    });
    await eventually(async () => (await listed('early', '?passing')) === 1);
    // As an agent that asked a server too early sees it, for 30 s.
    writeFileSync(tokenFile, randomUUID());
    // It tries to register again with that token, which the agent would keep.
    await eventually(() => /cannot keep .* ACL not found/.test(app?.output ?? ''), { within: 20_000 });
    await app.stop();
    expect(app.output).toMatch(/is deregistered from Consul/);
    expect(await listed('early')).toBe(0);
  });

  it('F46 an empty file changes nothing: no list is lost', async () => {
    const tokenFile = join(folder, 'emptied');
    const token = await create();
    writeFileSync(tokenFile, token.SecretID);
    await agent.request('PUT', '/v1/agent/service/register', { Name: 'stock', Port: 4001 });
    watching = await startWatching({ agent: { url: agent.url, tokenFile } });
    expect(await watching.ids('stock')).toEqual(['stock']);
    writeFileSync(tokenFile, '');
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    await agent.request('PUT', '/v1/agent/service/register', { ID: 'second', Name: 'stock', Port: 4002 });
    await eventually(async () => (await watching?.ids('stock'))?.length === 2);
    expect(watching.events.filter(({ type }) => type === 'list.suspect')).toEqual([]);
  }, 40_000);
});
