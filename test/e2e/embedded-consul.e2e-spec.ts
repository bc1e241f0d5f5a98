import { spawn } from 'node:child_process';
import { once, setMaxListeners } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedConsul, type EmbeddedConsulOptions } from '@rookery/embedded-consul';
import { eventually } from '@rookery/test-support';
import NodeConsul from 'consul';

const COMMAND = fileURLToPath(new URL('../../libs/embedded-consul/bin/embedded-consul.js', import.meta.url));
const MEMORY_SCRIPT = fileURLToPath(new URL('./embedded-memory.mjs', import.meta.url));

describe('EmbeddedConsul', () => {
  let consul: EmbeddedConsul;
  const start = async (options: EmbeddedConsulOptions = {}): Promise<void> => {
    await consul.stop();
    consul = await EmbeddedConsul.start(options);
  };
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; text: string; json: unknown; headers: Headers }> => {
    const response = await fetch(consul.url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, text, json, headers: response.headers };
  };
  const register = (body: object): Promise<unknown> => ask('PUT', '/v1/agent/service/register', body);
  const statusOf = async (check: string): Promise<string | undefined> =>
    ((await ask('GET', '/v1/agent/checks')).json as Record<string, { Status: string }>)[check]?.Status;
  const count = async (service: string, query = ''): Promise<number> =>
    ((await ask('GET', `/v1/health/service/${service}${query}`)).json as unknown[]).length;

  beforeEach(async () => {
    consul = await EmbeddedConsul.start();
  });
  afterEach(() => consul.stop());

  it('is ready at once, several in one process, and leaves nothing open', async () => {
    const open = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
    const before = open() - 1; // one is running for every test
    const begun = performance.now();
    const others = await Promise.all([1, 2, 3].map(() => EmbeddedConsul.start()));
    process.stderr.write(`three embedded agents ready after ${(performance.now() - begun).toFixed(1)} ms\n`);
    await register({ Name: 'x', Checks: [{ TTL: '60s' }, { TCP: '127.0.0.1:1', Interval: '60s' }] });
    const blocked = ask('GET', '/v1/health/service/x?index=999999&wait=60s').catch(() => undefined);
    await eventually(() => consul.load.blocked === 1);
    await Promise.all([...others, consul].map((each) => each.stop()));
    await blocked;
    await consul.stop(); // again: no error
    await eventually(() => open() === before);
  });

  describe('faults', () => {
    it('no leader: reads and writes fail, stale and cached reads work, until it heals', async () => {
      await register({ Name: 'x' });
      consul.faults.noLeader();
      expect(await ask('GET', '/v1/health/service/x')).toMatchObject({
        status: 500,
        text: 'No cluster leader',
      });
      expect(await ask('PUT', '/v1/kv/a', 'v')).toMatchObject({ status: 500 });
      expect((await ask('GET', '/v1/status/leader')).json).toBe('');
      const stale = await ask('GET', '/v1/health/service/x?stale');
      expect(stale.headers.get('x-consul-knownleader')).toBe('false');
      expect(stale.json).toHaveLength(1);
      expect((await ask('GET', '/v1/health/service/x?cached')).status).toBe(200);
      consul.faults.heal();
      expect(await count('x')).toBe(1);
    });

    it('lost state, and restarts with it and without', async () => {
      await register({ Name: 'x' });
      await ask('PUT', '/v1/kv/a', 'v');
      consul.faults.restart();
      await eventually(async () => (await count('x')) === 1);
      const before = Number((await ask('GET', '/v1/kv/a')).headers.get('x-consul-index'));
      consul.faults.loseState();
      expect(await count('x')).toBe(0);
      const after = await ask('GET', '/v1/kv/a');
      expect(after.status).toBe(404);
      expect(Number(after.headers.get('x-consul-index'))).toBeLessThan(before);
      await register({ Name: 'x' });
      consul.faults.restart({ keepState: false });
      await eventually(async () => (await count('x')) === 0);
    });

    it('empty lists of one service, or of all', async () => {
      await register({ Name: 'x' });
      await register({ Name: 'y' });
      consul.faults.emptyLists('x');
      expect([await count('x'), await count('y')]).toEqual([0, 1]);
      consul.faults.emptyLists();
      expect(await count('y')).toBe(0);
      consul.faults.heal();
      expect([await count('x'), await count('y')]).toEqual([1, 1]);
    });

    it('hanging, half-open, reset and delayed connections', async () => {
      consul.faults.hang();
      let answered = false;
      const hanging = ask('GET', '/v1/status/leader').then(() => (answered = true));
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(answered).toBe(false);
      consul.faults.heal();
      await hanging;
      consul.faults.halfOpen();
      const open = ask('GET', '/v1/status/leader').then(
        () => 'answered',
        () => 'reset',
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
      consul.faults.heal();
      expect(await open).toBe('reset');
      consul.faults.reset();
      await expect(ask('GET', '/v1/status/leader')).rejects.toThrow();
      consul.faults.heal();
      consul.faults.delay(100);
      const begun = performance.now();
      await ask('GET', '/v1/status/leader');
      expect(performance.now() - begun).toBeGreaterThanOrEqual(95);
    });

    it('statuses for a path, a given number of times', async () => {
      consul.faults.status(429, { path: '/v1/kv', times: 2 });
      consul.faults.status(503, { path: '/v1/health', times: 1 });
      const statuses = [];
      for (const path of [
        '/v1/kv/a',
        '/v1/kv/a',
        '/v1/kv/a',
        '/v1/health/service/x',
        '/v1/health/service/x',
      ]) {
        statuses.push((await ask('GET', path)).status);
      }
      expect(statuses).toEqual([429, 429, 404, 503, 200]);
      consul.faults.status(500);
      expect((await ask('GET', '/v1/catalog/nodes')).status).toBe(500);
    });

    it('garbage, indexes that fall or freeze, no permission, a limit of connections', async () => {
      await register({ Name: 'x' });
      consul.faults.garbage();
      expect((await ask('GET', '/v1/health/service/x')).json).toBeUndefined();
      consul.faults.heal();
      const index = async (): Promise<number> =>
        Number((await ask('GET', '/v1/health/service/x')).headers.get('x-consul-index'));
      const before = await index();
      consul.faults.indexGoesBack(5);
      expect(await index()).toBe(before - 5);
      consul.faults.heal();
      consul.faults.frozenIndex();
      const frozen = await index();
      await register({ Name: 'x', Port: 5 });
      expect(await index()).toBe(frozen);
      consul.faults.heal();
      consul.faults.denyAcl();
      expect((await ask('PUT', '/v1/kv/a', 'v')).status).toBe(403);
      expect(await count('x')).toBe(0);
      consul.faults.heal();
      consul.faults.connectionLimit(0);
      consul.faults.restart();
      await expect(ask('GET', '/v1/status/leader')).rejects.toThrow();
      consul.faults.heal();
      await eventually(async () => (await ask('GET', '/v1/status/leader')).status === 200);
    });
  });

  it('has a clock that a test can advance: TTLs, the reaper, sessions at twice their TTL', async () => {
    await register({
      Name: 'x',
      Check: { CheckID: 'ttl', TTL: '30s', Status: 'passing', DeregisterCriticalServiceAfter: '70s' },
    });
    const session = ((await ask('PUT', '/v1/session/create', { TTL: '10s' })).json as { ID: string }).ID;
    consul.clock.advance(15_000);
    expect((await ask('GET', `/v1/session/info/${session}`)).json).toHaveLength(1);
    consul.clock.advance(5_500);
    expect((await ask('GET', `/v1/session/info/${session}`)).json).toEqual([]);
    expect(await statusOf('ttl')).toBe('passing');
    consul.clock.advance(10_000);
    expect(await statusOf('ttl')).toBe('critical');
    consul.clock.advance(65_000);
    expect(await count('x')).toBe(1);
    consul.clock.advance(40_000);
    expect(await count('x')).toBe(0);
  });

  it('goes on when its node was taken out of the catalog, and puts back what changes', async () => {
    await register({ Name: 'x', Check: { CheckID: 'ttl', TTL: '30s', Status: 'passing' } });
    await ask('PUT', '/v1/agent/leave');
    expect(await count('x')).toBe(0);
    consul.clock.advance(31_000);
    expect(await statusOf('ttl')).toBe('critical');
    expect(await count('x')).toBe(1);
    expect((await ask('GET', '/v1/catalog/nodes')).json).toHaveLength(1);
  });

  it('runs real checks: HTTP with 429 as warning, TCP, gRPC', async () => {
    const status = { http: 200, grpc: 1 };
    const http = createHttp((_, response) => {
      response.statusCode = status.http;
      response.end('hello');
    }).listen(0, '127.0.0.1');
    const grpc = createHttp2();
    grpc.on('stream', (stream) => {
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, status.grpc]));
    });
    grpc.listen(0, '127.0.0.1');
    await Promise.all([once(http, 'listening'), once(grpc, 'listening')]);
    const [web, rpc] = [http, grpc].map((server) => (server.address() as AddressInfo).port);
    await register({
      Name: 'x',
      Checks: [
        { CheckID: 'http', HTTP: `http://127.0.0.1:${web ?? 0}/`, Interval: '1s' },
        { CheckID: 'tcp', TCP: `127.0.0.1:${web ?? 0}`, Interval: '1s' },
        { CheckID: 'grpc', GRPC: `127.0.0.1:${rpc ?? 0}`, Interval: '1s' },
        { CheckID: 'absent', TCP: '127.0.0.1:1', Interval: '1s', Status: 'passing' },
      ],
    });
    const statuses = async (): Promise<string> =>
      (await Promise.all(['http', 'tcp', 'grpc', 'absent'].map(statusOf))).join();
    await eventually(async () => (await statuses()) === 'passing,passing,passing,critical');
    status.http = 429;
    status.grpc = 2;
    await eventually(async () => (await statuses()) === 'warning,passing,critical,critical');
    status.http = 500;
    await eventually(async () => (await statuses()) === 'critical,passing,critical,critical');
    http.close();
    http.closeAllConnections();
    grpc.close();
    await eventually(async () => (await statuses()) === 'critical,critical,critical,critical');
  });

  it('wakes a thousand blocked reads with one change', async () => {
    await register({ Name: 'x' });
    const index = (await ask('GET', '/v1/health/service/x')).headers.get('x-consul-index') ?? '';
    const blocked = Array.from({ length: 1_000 }, () =>
      ask('GET', `/v1/health/service/x?index=${index}&wait=60s`),
    );
    await eventually(() => consul.load.blocked === 1_000);
    await register({ Name: 'x', Port: 5 });
    const answers = await Promise.all(blocked);
    expect(answers.every(({ status, json }) => status === 200 && (json as unknown[]).length === 1)).toBe(
      true,
    );
  });

  it('holds a thousand blocked reads in less than 20 MB', async () => {
    // In a separate process, so that the memory of these clients is not measured.
    const child = spawn(process.execPath, ['--expose-gc', MEMORY_SCRIPT], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const line = async (): Promise<string> => (await lines.next()).value as string;
    const url = await line();
    const { headers } = await fetch(`${url}/v1/health/service/x`);
    const index = headers.get('x-consul-index') ?? '';
    child.stdin.write('measure\n');
    const before = (await line()).split(' ').map(Number);
    const aborting = new AbortController();
    setMaxListeners(0, aborting.signal);
    const blocked = Array.from({ length: 1_000 }, () =>
      fetch(`${url}/v1/health/service/x?index=${index}&wait=60s`, { signal: aborting.signal }).catch(
        () => undefined,
      ),
    );
    let after = '';
    await eventually(async () => {
      child.stdin.write('measure\n');
      after = await line();
      return after.endsWith(' 1000');
    });
    const [used = 0, rss = 0] = after
      .split(' ')
      .map((value, at) => (Number(value) - (before[at] ?? 0)) / 1024 / 1024);
    process.stderr.write(
      `1,000 blocked reads: ${used.toFixed(1)} MB of heap and buffers, ${rss.toFixed(1)} MB of RSS\n`,
    );
    aborting.abort();
    await Promise.all(blocked);
    child.kill();
    expect(used).toBeLessThan(20);
  });

  it('serves 5,000 instances of one service', async () => {
    for (let n = 0; n < 5_000; n += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, m) => register({ ID: `i${n + m}`, Name: 'many', Port: n + m + 1 })),
      );
    }
    expect(await count('many')).toBe(5_000);
    expect(await count('many', '?filter=Service.Port%20==%204000')).toBe(1);
  });

  it('answers like newer versions when configured', async () => {
    await start({ compatibility: 'latest' });
    expect(await ask('PUT', '/v1/agent/check/pass/nope')).toMatchObject({
      status: 404,
      text: 'Unknown check ID "nope". Ensure that the check ID is passed, not the check name.',
    });
    const gone = await ask('PUT', '/v1/agent/service/deregister/nope');
    expect(gone).toMatchObject({
      status: 404,
      text: expect.stringMatching(/^Unknown service ID "nope"\. Ensure/) as unknown,
    });
    expect(gone.headers.get('x-consul-default-acl-policy')).toBe('allow');
  });

  it('says what it does not support', async () => {
    for (const path of [
      '/v1/connect/intentions',
      '/v1/config/x',
      '/v1/snapshot',
      '/v1/discovery-chain/x',
      '/v1/health/ingress/x',
      '/v1/internal/ui/services',
      '/v1/agent/connect/ca/leaf/web',
    ]) {
      expect(await ask('GET', path)).toMatchObject({
        status: 501,
        text: expect.stringMatching(/is not implemented/) as unknown,
      });
    }
  });

  it('refuses what it would drop in silence', async () => {
    const proxy = { Name: 'gate', Kind: 'connect-proxy', Port: 1, Proxy: { DestinationServiceName: 'web' } };
    for (const field of ['Upstreams', 'Expose', 'MeshGateway']) {
      const Proxy = { ...proxy.Proxy, [field]: field === 'Upstreams' ? [{}] : { Mode: 'local' } };
      expect(await ask('PUT', '/v1/agent/service/register', { ...proxy, Proxy })).toMatchObject({
        status: 501,
        text: `embedded-consul: Proxy.${field} is not implemented`,
      });
    }
    expect((await ask('GET', '/v1/agent/services')).json).toEqual({});
  });

  it('bootstraps its ACLs once', async () => {
    await start({ acl: {} });
    const { json } = await ask('PUT', '/v1/acl/bootstrap');
    const secret = (json as { SecretID: string }).SecretID;
    expect((await ask('PUT', '/v1/acl/bootstrap')).status).toBe(403);
    const headers = { 'x-consul-token': secret };
    expect((await fetch(`${consul.url}/v1/agent/self`, { headers })).status).toBe(200);
    expect((await ask('GET', '/v1/agent/self')).status).toBe(403);
  });

  it('runs from a shell, and ends with Ctrl-C', async () => {
    const run = (...args: string[]) =>
      spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const child = run('--port', '0', '--datacenter', 'here');
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const url = await eventually(() =>
      /embedded-consul at (\S+):? for development/.exec(output)?.[1]?.replace(/:$/, ''),
    );
    expect(await (await fetch(`${url}/v1/catalog/datacenters`)).json()).toEqual(['here']);
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
    const wrong = run('--port', 'x');
    let complaint = '';
    wrong.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    expect(await once(wrong, 'exit')).toEqual([1, null]);
    expect(complaint).toMatch(/--port x: must be an integer from 0 to 65535\nusage: embedded-consul/);
  });

  it('works with an independent client: node-consul', async () => {
    const { hostname: host, port } = new URL(consul.url);
    const client = new NodeConsul({ host, port: Number(port) });
    await client.agent.service.register({ name: 'node-consul', port: 5, check: { ttl: '60s' } as never });

    const watch = client.watch({
      method: client.health.service.bind(client.health),
      options: { service: 'node-consul' },
    });
    const seen: number[] = [];
    watch.on('change', (data: unknown[]) => seen.push(data.length));
    await eventually(() => seen.at(-1) === 1);
    await client.agent.service.register({ id: 'second', name: 'node-consul', port: 6 });
    await eventually(() => seen.at(-1) === 2);
    watch.end();
    expect(await client.kv.set('a/b', 'value')).toBe(true);
    expect(await client.kv.get('a/b')).toMatchObject({ Key: 'a/b', Value: 'value' });
    expect(await client.kv.keys('a/')).toEqual(['a/b']);
    const { ID } = await client.session.create({ ttl: '10s' });
    expect(await client.kv.set({ key: 'lock', value: 'me', acquire: ID })).toBe(true);
    expect(await client.session.renew(ID)).toHaveLength(1);
    await client.session.destroy(ID);
    await client.agent.service.deregister('second');
    expect(await count('node-consul')).toBe(1);
  });
});
