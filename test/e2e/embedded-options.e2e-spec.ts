import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { EmbeddedConsul, type EmbeddedConsulOptions } from '@rookery/embedded-consul';
import { endWithUs, eventually, exited, thrownBy } from '@rookery/test-support';

const COMMAND = fileURLToPath(new URL('../../libs/embedded-consul/bin/embedded-consul.js', import.meta.url));
const TOKEN = '11111111-2222-4333-8444-555555555555';

describe('options of EmbeddedConsul', () => {
  let consul: EmbeddedConsul | undefined;
  let home: string;
  const start = async (options: EmbeddedConsulOptions): Promise<EmbeddedConsul> =>
    (consul = await EmbeddedConsul.start(options));
  const ask = async (path: string, method = 'GET', body?: object, token?: string): Promise<unknown> => {
    const response = await fetch((consul?.url ?? '') + path, {
      method,
      headers: token === undefined ? {} : { 'x-consul-token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return response.ok ? (text === '' ? undefined : JSON.parse(text)) : `${response.status} ${text}`;
  };

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'rookery-embedded-'));
  });
  afterEach(async () => {
    await consul?.stop();
    consul = undefined;
  });
  afterAll(() => rmSync(home, { recursive: true }));

  it('nodeMeta is what reads find the node by', async () => {
    await start({ nodeMeta: { rack: 'r1' } });
    expect(await ask('/v1/catalog/nodes?node-meta=rack:r1')).toHaveLength(1);
    expect(await ask('/v1/catalog/nodes?node-meta=rack:r2')).toEqual([]);
    expect(await ask('/v1/agent/self')).toMatchObject({ Meta: { rack: 'r1' } });
  });

  it('acl.defaultPolicy: allow grants what no rule speaks of, but never the ACLs themselves', async () => {
    await start({ acl: { managementToken: TOKEN, defaultPolicy: 'allow' } });
    expect(await ask('/v1/agent/service/register', 'PUT', { Name: 'web' })).toBeUndefined();
    expect(await ask('/v1/acl/policies')).toBe('403 Permission denied');
    const Rules = 'service "web" { policy = "deny" }';
    await ask('/v1/acl/policy', 'PUT', { Name: 'no-web', Rules }, TOKEN);
    const anonymous = '/v1/acl/token/00000000-0000-0000-0000-000000000002';
    await ask(anonymous, 'PUT', { Policies: [{ Name: 'no-web' }] }, TOKEN);
    expect(await ask('/v1/agent/service/register', 'PUT', { Name: 'web' })).toMatch(/^403 Permission denied/);
    expect(await ask('/v1/agent/service/register', 'PUT', { Name: 'other' })).toBeUndefined();
  });

  it('socket: it listens at the path alone', async () => {
    const socket = join(home, 'consul.sock');
    const { url } = await start({ socket, datacenter: 'here' });
    expect(url).toBe(`unix://${socket}`);
    const [response] = (await once(
      get({ socketPath: socket, path: '/v1/catalog/datacenters' }),
      'response',
    )) as [IncomingMessage];
    expect(await json(response)).toEqual(['here']);
    await consul?.stop();
    expect(existsSync(socket)).toBe(false);
  });

  it('socket: its connections can be cut like those of a port', async () => {
    const socket = join(home, 'cut.sock');
    const { faults } = await start({ socket });
    const ask = (): Promise<string> => {
      const request = get({ socketPath: socket, path: '/v1/status/leader' });
      return once(request, 'response').then(
        () => 'answered',
        () => 'reset',
      );
    };
    faults.reset();
    expect(await ask()).toBe('reset');
    faults.heal();
    faults.halfOpen();
    const open = ask();
    await new Promise((resolve) => setTimeout(resolve, 50));
    faults.heal();
    expect(await open).toBe('reset');
    faults.connectionLimit(0);
    expect(await ask()).toBe('reset');
    faults.heal();
    expect(await ask()).toBe('answered');
  });

  it('enableScriptChecks: programs are run, and what they exit with is the state', async () => {
    const script = (CheckID: string, code: string): object => ({
      CheckID,
      ScriptArgs: [process.execPath, '-e', code],
      Interval: '1s',
    });
    const service = {
      Name: 'web',
      Checks: [
        script('good', 'console.log("fine")'),
        script('slow', 'console.error("slow"); process.exitCode = 1'),
        script('bad', 'process.exitCode = 2'),
        { CheckID: 'none', ScriptArgs: [join(home, 'none')], Interval: '1s' },
        {
          CheckID: 'hangs',
          ScriptArgs: [process.execPath, '-e', 'setInterval(() => 0, 9e4)'],
          Interval: '1s',
          Timeout: '300ms',
        },
      ],
    };
    await start({});
    expect(await ask('/v1/agent/service/register', 'PUT', service)).toMatch(/^500 Scripts are disabled/);
    await consul?.stop();
    await start({ enableScriptChecks: true });
    expect(await ask('/v1/agent/service/register', 'PUT', service)).toBeUndefined();
    const checks = await eventually(async () => {
      const found = (await ask('/v1/agent/checks')) as Record<string, { Status: string; Output: string }>;
      return ['good', 'slow', 'none', 'hangs'].every((id) => found[id]?.Output) ? found : undefined;
    });
    expect(checks).toMatchObject({
      good: { Status: 'passing', Output: 'fine\n', Type: 'script' },
      slow: { Status: 'warning', Output: 'slow\n' },
      bad: { Status: 'critical', Output: '' },
      none: { Status: 'critical', Output: expect.stringContaining('ENOENT') as unknown },
      hangs: { Status: 'critical', Output: 'Timed out' },
    });
  });

  it('data: services and keys are there from the beginning', async () => {
    await start({
      data: {
        services: [{ ID: 'web-1', Name: 'web', Port: 80, Check: { TTL: '60s', Status: 'passing' } }],
        kv: { 'config/web': 'text', 'config/limits': { most: 5 } },
      },
    });
    expect(await ask('/v1/health/service/web?passing')).toMatchObject([
      { Service: { ID: 'web-1', Port: 80 } },
    ]);
    expect(await ask('/v1/kv/config/limits?raw')).toEqual({ most: 5 });
    expect(await ask('/v1/kv/config/?keys')).toEqual(['config/limits', 'config/web']);
  });

  it.each([
    [{ services: [{ Name: 'a' }, {}] }, 'data.services[1]: Missing service name'],
    [{ services: [{ Name: 'a', Tag: [] }] }, 'data.services[0]: json: unknown field "Tag"'],
    [{ services: {} }, 'data.services: must be a list of services'],
    [{ kv: [] }, 'data.kv: must be an object of keys and their values'],
    [{ kv: { '': 'x' } }, 'data.kv: a key must not be empty'],
    [{ keys: {} }, 'data.keys: there are only services and kv'],
  ])('data that cannot be used is refused by its field: %j', async (data, message) => {
    expect(String(await thrownBy(() => EmbeddedConsul.start({ data: data as never })))).toContain(message);
  });

  describe('from a shell', () => {
    const run = (...args: string[]): { child: ChildProcess; output: () => string } => {
      const child = spawn(process.execPath, [COMMAND, '--port', '0', ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      endWithUs(child);
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
      return { child, output: () => output };
    };
    const urlOf = (output: string): string | undefined => /embedded-consul at (\S+):/.exec(output)?.[1];

    it('takes all of them, and ends when it is told to leave', async () => {
      const file = join(home, 'data.json');
      writeFileSync(file, JSON.stringify({ services: [{ Name: 'web', Port: 80 }], kv: { a: 'b' } }));
      const { child, output } = run(
        ...['--acl', TOKEN, '--default-policy', 'allow', '--compatibility', 'latest', '--data', file],
        ...['--node', 'here', '--node-meta', 'rack=r=1', '--script-checks'],
      );
      const url = await eventually(() => urlOf(output()));
      expect(output()).toContain(`It shows itself at ${url}/ui/.`);
      const response = await fetch(`${url}/v1/agent/self`);
      expect(response.headers.get('x-consul-default-acl-policy')).toBe('allow');
      expect(await response.json()).toMatchObject({
        Config: { NodeName: 'here' },
        DebugConfig: { EnableRemoteScriptChecks: true },
        Meta: { rack: 'r=1' },
      });
      expect(await (await fetch(`${url}/v1/kv/a?raw`)).text()).toBe('b');
      expect((await fetch(`${url}/v1/acl/policies`, { headers: { 'x-consul-token': TOKEN } })).status).toBe(
        200,
      );
      const left = exited(child);
      expect((await fetch(`${url}/v1/agent/leave`, { method: 'PUT' })).status).toBe(200);
      expect(await left).toMatchObject({ code: 0 });
    });

    it.each([
      [['--node-meta', 'rack'], '--node-meta rack: must be KEY=VALUE'],
      [['--compatibility', '2'], '--compatibility 2: must be 1.8 or latest'],
      [['--acl', TOKEN, '--default-policy', 'x'], '--default-policy x: must be allow or deny'],
      [['--default-policy', 'allow'], '--default-policy: needs --acl and a token'],
      [['--data', '/none.json'], '--data /none.json: ENOENT'],
      [['--unknown'], "Unknown option '--unknown'"],
    ])('%j is refused in one sentence', async (args, message) => {
      const { child, output } = run(...args);
      const [code] = (await once(child, 'close')) as [number];
      expect(code).toBe(1);
      expect(output()).toContain(message);
      expect(output()).not.toMatch(/\n\s+at /);
    });
  });
});
