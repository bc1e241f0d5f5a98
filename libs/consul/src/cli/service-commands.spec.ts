import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, FakeAgent, FakeTerminal, freePorts } from '@rookery/test-support';
import { run } from './run.js';
import type { Terminal } from './terminal.js';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const SELF = {
  Config: { Version: '1.8.7', NodeName: 'host-1', Datacenter: 'dc1' },
  Member: { Addr: '10.0.0.1' },
};

describe('the commands for services', () => {
  let agent: FakeAgent;
  let url: string;

  beforeEach(async () => {
    agent = await FakeAgent.start();
    ({ url } = agent);
    agent.answers = { '/v1/agent/self': SELF, '/v1/status/leader': '10.0.0.2:8300' };
  });
  afterEach(() => agent.stop());

  const terminalOf = (changes: Partial<Terminal> = {}): FakeTerminal =>
    new FakeTerminal({ CONSUL_HTTP_ADDR: url }, changes);
  const rookery = async (args: readonly string[], changes: Partial<Terminal> = {}): Promise<Ran> => {
    const terminal = terminalOf(changes);
    const code = await run(args, terminal);
    return { code, out: terminal.out, err: terminal.err };
  };
  const green = (text: string): string => `\u001b[32m${text}\u001b[0m`;
  const yellow = (text: string): string => `\u001b[33m${text}\u001b[0m`;
  const red = (text: string): string => `\u001b[31m${text}\u001b[0m`;
  const grey = (text: string): string => `\u001b[90m${text}\u001b[0m`;

  const service = (ID: string, Port: number, Address = ''): object => ({
    ID,
    Service: ID.split('-')[0],
    Address,
    Port,
  });
  const check = (ServiceID: string, Status: string, Name = 'HTTP', Output = ''): object => ({
    ...{ CheckID: `${ServiceID}:${Name}`, Name, ServiceID, Status, Output, Notes: '' },
  });

  describe('status', () => {
    beforeEach(() => {
      agent.answers['/v1/agent/services'] = { b: service('web-2', 2), a: service('api-1', 1, '10.0.0.9') };
      agent.answers['/v1/agent/checks'] = {
        1: check('web-2', 'passing'),
        2: check('web-2', 'warning', 'disk', 'almost\nfull'),
        3: check('api-1', 'passing'),
        4: check('', 'passing', 'Serf'),
      };
    });

    it('shows the agent, and its instances by id', async () => {
      expect(await rookery(['status'])).toEqual({
        code: 0,
        err: '',
        out:
          `Consul 1.8.7 at ${url}, node host-1, datacenter dc1, leader 10.0.0.2:8300\n\n` +
          'INSTANCE  SERVICE  ADDRESS     STATUS   WHAT FAILS\n' +
          'api-1     api      10.0.0.9:1  passing\n' +
          'web-2     web      10.0.0.1:2  warning  disk: almost full\n',
      });
    });

    it('is in colours on a terminal', async () => {
      const { out } = await rookery(['status'], { isTerminal: true });
      expect(out).toContain(`10.0.0.9:1  ${green('passing')}`);
      expect(out).toContain(`10.0.0.1:2  ${yellow('warning')}  disk`);
      expect(out).toContain(grey('INSTANCE'));
    });

    it('is JSON for programs', async () => {
      const { code, out } = await rookery(['status', '--json']);
      expect([code, JSON.parse(out)]).toEqual([
        0,
        {
          ...{ version: '1.8.7', node: 'host-1', datacenter: 'dc1', leader: '10.0.0.2:8300' },
          instances: [
            { id: 'api-1', service: 'api', address: '10.0.0.9:1', status: 'passing', output: '' },
            {
              id: 'web-2',
              service: 'web',
              address: '10.0.0.1:2',
              status: 'warning',
              output: 'disk: almost\nfull',
            },
          ],
        },
      ]);
    });

    it.each([
      ['""', ''],
      ['an error', 500],
    ])('says that there is no leader: %s', async (_name, leader) => {
      agent.answers['/v1/status/leader'] = leader;
      expect(await rookery(['status'])).toMatchObject({
        code: 1,
        out: expect.stringContaining('dc1, no leader\n'),
      });
      expect((await rookery(['status'], { isTerminal: true })).out).toContain(red('no leader'));
      expect(JSON.parse((await rookery(['status', '--json'])).out)).toMatchObject({ leader: null });
    });

    it('says that something is critical, or that nothing is registered', async () => {
      agent.answers['/v1/agent/checks'] = {
        1: check('web-2', 'critical'),
        2: check('', 'critical', 'Serf', 'gone'),
      };
      expect(await rookery(['status'])).toMatchObject({
        code: 1,
        out: expect.stringContaining('Serf: gone'),
      });
      agent.answers['/v1/agent/services'] = {};
      expect(await rookery(['status'])).toMatchObject({
        ...{ code: 0, out: expect.stringContaining('No service is registered with this agent.\n') },
      });
      expect(await rookery(['status', 'more'])).toMatchObject({
        code: 2,
        err: expect.stringContaining('unexpected argument: more'),
      });
    });
  });

  describe('services', () => {
    const entriesOf = (...statuses: string[]): object[] =>
      statuses.map((Status, n) => ({ Service: service(`i-${n}`, n), Checks: [check('', Status)] }));

    it('counts the instances of each by their status', async () => {
      agent.answers['/v1/catalog/services'] = { web: [], api: [], none: [] };
      agent.answers['/v1/health/service/web'] = [
        ...entriesOf('passing', 'passing', 'warning', 'critical'),
        { Service: service('m-1', 1), Checks: [{ ...check('', 'critical'), CheckID: '_node_maintenance' }] },
        { Service: service('n-1', 1) },
      ];
      agent.answers['/v1/health/service/api'] = entriesOf('warning');
      agent.answers['/v1/health/service/none'] = entriesOf('critical');
      const { code, out } = await rookery(['services']);
      expect(out).toBe(
        'SERVICE  PASSING  WARNING  CRITICAL  MAINTENANCE\n' +
          'api      0        1        0         0\n' +
          'none     0        0        1         0\n' +
          'web      3        1        1         1\n',
      );
      expect(code).toBe(1);
      const coloured = (await rookery(['services'], { isTerminal: true })).out;
      expect(coloured).toContain(
        `web      ${green('3')}        ${yellow('1')}        ${red('1')}         ${yellow('1')}`,
      );
      expect(coloured).toContain(`api      0        ${yellow('1')}        0         ${grey('0')}`);
      agent.answers['/v1/catalog/services'] = { web: [], api: [] };
      const json = await rookery(['services', '--json']);
      expect([json.code, JSON.parse(json.out)]).toEqual([
        0,
        [
          { service: 'api', passing: 0, warning: 1, critical: 0, maintenance: 0 },
          { service: 'web', passing: 3, warning: 1, critical: 1, maintenance: 1 },
        ],
      ]);
    });
  });

  describe('explain', () => {
    beforeEach(() => {
      agent.answers['/v1/health/service/web'] = [
        {
          Node: { Node: 'host-1', Address: '10.0.0.1' },
          Service: service('web-1', 1),
          Checks: [check('web-1', 'passing'), check('web-1', 'critical', 'disk', 'full')],
        },
        {
          Node: { Node: 'host-2', Address: '10.0.0.2' },
          Service: service('web-2', 2, '10.1.0.2'),
          Checks: null,
        },
      ];
    });

    it('shows each instance with what its checks say', async () => {
      expect(await rookery(['explain', 'web'])).toEqual({
        code: 0,
        err: '',
        out:
          'web-1  10.0.0.1:1  node host-1  critical\n' +
          '    passing  HTTP\n' +
          '    critical  disk: full\n' +
          'web-2  10.1.0.2:2  node host-2  passing\n',
      });
      const { out } = await rookery(['explain', 'web'], { isTerminal: true });
      expect(out).toContain(`node host-1  ${red('critical')}`);
      expect(out).toContain(`    ${green('passing')}  HTTP`);
      const { instances } = JSON.parse((await rookery(['explain', 'web', '--json'])).out) as {
        instances: object[];
      };
      expect(instances[0]).toEqual({
        ...{ id: 'web-1', address: '10.0.0.1:1', node: 'host-1', status: 'critical' },
        checks: [
          { name: 'HTTP', status: 'passing', output: '' },
          { name: 'disk', status: 'critical', output: 'full' },
        ],
      });
    });

    it('is 1 where no instance is usable', async () => {
      agent.answers['/v1/health/service/none'] = [];
      agent.answers['/v1/catalog/services'] = { web: [] };
      expect(await rookery(['explain', 'none'])).toMatchObject({
        code: 1,
        out: expect.stringMatching(/^Consul lists no instance of "none"\. Is it running and registered\?/),
      });
      delete agent.answers['/v1/catalog/services'];
      expect((await rookery(['explain', 'none'])).code).toBe(1);
      agent.answers['/v1/catalog/services'] = { web: [], nine: [], name: [] };
      expect((await rookery(['explain', 'none'])).out).toBe(
        'Consul lists no instance of "none". Did you mean "nine"?\n',
      );
      agent.answers['/v1/health/service/web'] = [
        { Node: { Node: 'n', Address: 'a' }, Service: service('web-1', 1), Checks: [check('', 'critical')] },
      ];
      expect((await rookery(['explain', 'web'])).code).toBe(1);
      agent.answers['/v1/health/service/web'] = [
        { Node: { Node: 'n', Address: 'a' }, Service: service('web-1', 1), Checks: [check('', 'warning')] },
      ];
      expect((await rookery(['explain', 'web'])).code).toBe(0);
    });

    it('asks an app why it calls an instance, or does not', async () => {
      agent.answers['/discovery/w%20b'] = {
        services: [
          {
            ...{ usable: 1, query: { tags: ['a'] } },
            lists: [
              { source: 'Consul', state: 'current' },
              { source: 'dc2', state: 'failing', error: 'no route' },
            ],
            instances: [
              { id: 'web-1', address: '10.0.0.1:1', state: 'eligible', reason: 'it passes' },
              { id: 'web-2', address: '10.0.0.2:2', state: 'ejected', reason: 'five failures' },
            ],
          },
        ],
      };
      expect(await rookery(['explain', 'w b', '--app', url])).toEqual({
        code: 0,
        err: '',
        out:
          '1 of 2 instances usable, query {"tags":["a"]}\n' +
          'Consul: current\n' +
          'dc2: failing, no route\n' +
          'INSTANCE  ADDRESS     STATE     REASON\n' +
          'web-1     10.0.0.1:1  eligible  it passes\n' +
          'web-2     10.0.0.2:2  ejected   five failures\n',
      });
      expect((await rookery(['explain', 'w b', '--app', url], { isTerminal: true })).out).toContain(
        red('ejected'),
      );
      expect(JSON.parse((await rookery(['explain', 'w b', '--app', url, '--json'])).out)).toHaveLength(1);
      agent.answers['/discovery/web'] = { services: [{ usable: 0, query: {}, lists: [], instances: [] }] };
      expect(await rookery(['explain', 'web', '--app', url])).toMatchObject({
        code: 1,
        out: expect.stringContaining('lists no instance of "web" for that app: is it running'),
      });
      agent.answers['/discovery/none'] = {};
      expect(await rookery(['explain', 'none', '--app', url])).toMatchObject({
        ...{ code: 1, out: 'That app does not use "none".\n' },
      });
    });

    it('says what is wrong with the app', async () => {
      const errorOf = async (app: string): Promise<string> => {
        const { code, err } = await rookery(['explain', 'web', '--app', app]);
        expect(code).toBe(2);
        return err;
      };
      expect(await errorOf('nowhere')).toContain('--app nowhere: it is no URL, such as');
      expect(await errorOf('ada:hush@nowhere')).toContain('--app (secret)@nowhere: it is no URL, such as');
      expect(await errorOf('http://ada:hush@nowhere')).toContain(
        '--app (secret)@nowhere: a URL with a user or a password cannot be asked. Leave them out',
      );
      expect(await errorOf(url)).toContain(
        `${url}/discovery/web answered 404: run this on the host of the app`,
      );
      agent.answers['/discovery/web'] = '<html>';
      expect(await errorOf(url)).toContain('answered 200, and no JSON: is this an app on Rookery?');
      for (const status of [401, 500]) {
        agent.answers['/discovery/web'] = new Response('{"message":"no\\u001b"}', { status });
        expect(await errorOf(url)).toContain(`${url}/discovery/web answered ${status}: {"message":"no`);
      }
      agent.answers['/discovery/web'] = new Response('null');
      expect(await errorOf(url)).toContain('answered 200, and no JSON');
      const [port = 0] = await freePorts(1);
      expect(await errorOf(`http://127.0.0.1:${port}`)).toMatch(/does not answer: .*ECONNREFUSED/);
    });
  });

  describe('watch', () => {
    const entry = (id: string, status: string, port = 1): object => ({
      ...{
        Node: { Node: 'n', Address: '10.0.0.1' },
        Service: service(id, port),
        Checks: [check('', status)],
      },
    });

    const watch = async (
      lists: readonly unknown[],
      args: readonly string[] = [],
      until: (text: { out: string; err: string }) => boolean = ({ out }) =>
        out.split('\n').length > lists.length,
    ): Promise<Ran> => {
      const stopping = new AbortController();
      const left = [...lists];
      agent.answers['/v1/health/service/web'] = () =>
        left.length > 0
          ? left.shift()
          : new Promise((resolve) => stopping.signal.addEventListener('abort', resolve));
      const terminal = terminalOf({ signal: stopping.signal });
      const running = run(['watch', 'web', ...args], terminal);
      await eventually(() => until(terminal));
      stopping.abort();
      const code = await running;
      return { code, out: terminal.out, err: terminal.err };
    };

    it('prints what is there, and each change of it', async () => {
      const { code, out, err } = await watch(
        [
          [entry('web-1', 'passing')],
          [entry('web-1', 'passing'), entry('web-2', 'critical')],
          [entry('web-1', 'warning'), entry('web-2', 'critical')],
          [entry('web-2', 'critical', 9)],
        ],
        [],
        ({ out: printed }) => printed.split('\n').length > 5,
      );
      expect([code, err]).toEqual([0, '']);
      const lines = out.trim().split('\n');
      expect(lines.every((line) => /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}/.test(line))).toBe(true);
      expect(lines.map((line) => line.slice(line.indexOf('Z') + 3))).toEqual([
        '+ web-1  10.0.0.1:1  passing',
        '+ web-2  10.0.0.1:1  critical',
        '~ web-1  10.0.0.1:1  passing → warning',
        '- web-1  10.0.0.1:1  warning',
        '~ web-2  10.0.0.1:9  critical → critical',
      ]);
      expect(agent.asked.filter((path) => path.includes('index=7')).length).toBeGreaterThanOrEqual(3);
      expect(agent.asked[0]).toBe('/v1/health/service/web');
    });

    it('tells instances apart that have one id on several nodes', async () => {
      const on = (Node: string, status: string): object => ({
        ...entry('web', status),
        Node: { Node, Address: '10.0.0.1' },
      });
      const { out } = await watch(
        [
          [on('a', 'passing'), on('b', 'passing')],
          [on('a', 'critical'), on('b', 'passing')],
        ],
        ['--json'],
        ({ out: printed }) => printed.split('\n').length > 3,
      );
      const lines = out.trim().split('\n');
      expect(lines.map((line) => (JSON.parse(line) as { node: string; to: string }).node)).toEqual([
        'a',
        'b',
        'a',
      ]);
    });

    it('is lines of JSON for programs', async () => {
      const { out } = await watch(
        [[entry('web-1', 'passing')], []],
        ['--json'],
        ({ out: printed }) => printed.split('\n').length > 2,
      );
      expect(
        out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ).toEqual([
        { at: expect.any(String), id: 'web-1', node: 'n', address: '10.0.0.1:1', from: null, to: 'passing' },
        { at: expect.any(String), id: 'web-1', node: 'n', address: '10.0.0.1:1', from: 'passing', to: null },
      ]);
    });

    it('waits for an instance, and goes on after an error, but not after one at first', async () => {
      const { err, code } = await watch([[], 500, [entry('web-1', 'passing')]], [], ({ out }) =>
        out.includes('web-1'),
      );
      expect(err).toMatch(/^no instance of "web" is listed; waiting for one\n.*500.*\n$/s);
      expect(code).toBe(0);
      agent.answers['/v1/health/service/web'] = 500;
      expect((await rookery(['watch', 'web'])).code).toBe(2);
    });
  });

  describe('doctor', () => {
    let listener: Server;
    let port: number;
    beforeEach(async () => {
      listener = createServer();
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      ({ port } = listener.address() as AddressInfo);
      agent.answers['/v1/internal/acl/authorize'] = Array.from({ length: 4 }, () => ({ Allow: true }));
      agent.answers['/v1/agent/services'] = { a: service('web-1', port, '127.0.0.1') };
      agent.answers['/v1/agent/checks'] = { 1: check('web-1', 'passing') };
    });
    afterEach(() => void listener.close());

    const findings = async (args: readonly string[] = [], changes: Partial<Terminal> = {}) => {
      const { code, out } = await rookery(['doctor', '--json', ...args], changes);
      const all = JSON.parse(out) as { what: string; status: string; says: string; cure?: string }[];
      return {
        code,
        of: (what: string) => all.find((each) => each.what === what),
        whats: all.map(({ what }) => what),
      };
    };

    it('ends, and says nothing, when it is interrupted', async () => {
      const interrupted = { code: 2, out: '', err: '' };
      expect(await rookery(['doctor'], { signal: AbortSignal.abort() })).toEqual(interrupted);
    });

    it('looks at everything', async () => {
      const { code, out } = await rookery(['doctor']);
      expect(code).toBe(0);
      expect(out.trim().split('\n')).toEqual([
        'ok       environment: CONSUL_HTTP_ADDR',
        expect.stringMatching(
          new RegExp(
            `^ok       agent: Consul 1.8.7 at ${url} answers in \\d+ ms; node host-1, datacenter dc1$`,
          ),
        ),
        'ok       leader: 10.0.0.2:8300',
        'ok       token: it may find every service, see instances, read live configuration, take locks',
        'ok       clock: this host and the agent differ by less than a second',
        "ok       address: others see this host as 10.0.0.1, the address of the agent's node",
        'ok       registrations: 1 with this agent, and each accepts connections',
      ]);
      const coloured = (await rookery(['doctor'], { isTerminal: true })).out;
      expect(coloured).toContain(`${green('ok     ')}  leader`);
      expect((await findings()).whats).toHaveLength(7);
    });

    it('says what is missing, and what to do', async () => {
      agent.answers['/v1/status/leader'] = '';
      agent.answers['/v1/internal/acl/authorize'] = [{ Allow: true }, { Allow: false }, { Allow: true }, {}];
      const { code, of } = await findings();
      expect(code).toBe(1);
      expect(of('leader')).toEqual({
        ...{ what: 'leader', status: 'failed', says: 'the servers have no leader' },
        cure: expect.stringContaining('a majority of them has to run'),
      });
      expect(of('token')).toMatchObject({
        ...{ status: 'warning', says: 'it may not see instances, take locks' },
        cure: expect.stringMatching(
          /^If the app does that, add node_prefix "" .* and session_prefix "" .* to its policy/,
        ),
      });
      const { out } = await rookery(['doctor']);
      expect(out).toMatch(/^FAILED {3}leader: the servers have no leader\n {9}→ Apps go on/m);
      expect(out).toMatch(/^warning {2}token: it may not/m);
      agent.answers['/v1/internal/acl/authorize'] = 500;
      expect((await findings()).of('token')).toMatchObject({
        status: 'ok',
        says: 'this agent does not tell what it may do',
      });
    });

    it('ends with an agent that does not answer', async () => {
      const [closed = 0] = await freePorts(1);
      const environment = { CONSUL_HTTP_ADDR: `http://127.0.0.1:${closed}` };
      const { code, whats, of } = await findings([], { environment });
      expect([code, whats]).toEqual([1, ['environment', 'agent']]);
      expect(of('agent')).toMatchObject({ status: 'failed', says: expect.stringContaining('ECONNREFUSED') });
      expect(of('agent')?.cure).toBeDefined();
    });

    it('compares the clocks', async () => {
      let dateOf = (): string => new Date(Date.now() - 60_000).toUTCString();
      agent.onRequest((_request, response) => void response.setHeader('date', dateOf()));
      const { of } = await findings();
      expect(of('clock')).toMatchObject({
        ...{ status: 'warning', says: expect.stringMatching(/differ by (58|59|60) s$/) },
        cure: expect.stringContaining('Synchronise the clocks'),
      });
      dateOf = () => 'yesterday';
      expect((await findings()).of('clock')).toBeUndefined();
    });

    it('looks at the environment, and at the address', async () => {
      const of = async (environment: Record<string, string>) =>
        (await findings([], { environment: { CONSUL_HTTP_ADDR: url, ...environment } })).of;
      expect((await of({ ROOKERY_ZONE: 'a', HOME: '/' }))('environment')?.says).toBe(
        'CONSUL_HTTP_ADDR, ROOKERY_ZONE',
      );
      expect((await of({ ROOKERY_ZONE: '', CONSUL_HTTP_TOKEN: '' }))('environment')).toMatchObject({
        ...{ status: 'warning', says: 'CONSUL_HTTP_TOKEN, ROOKERY_ZONE set, and empty' },
        cure: expect.stringContaining('An empty variable counts as not set'),
      });
      expect((await of({ ROOKERY_ADDRESS: '203.0.113.7' }))('address')).toMatchObject({
        ...{
          status: 'warning',
          says: expect.stringMatching(/^ROOKERY_ADDRESS, 203.0.113.7, is no address of this host \(/),
        },
        cure: expect.stringContaining('behind a load balancer'),
      });
      expect((await of({ ROOKERY_ADDRESS: '' }))('address')?.status).toBe('ok');
      agent.answers['/v1/agent/self'] = { ...SELF, Member: { Addr: '127.0.0.1' } };
      expect((await of({}))('address')).toMatchObject({
        ...{ status: 'warning', says: 'the agent is on 127.0.0.1, so apps here register a loopback address' },
        cure: expect.stringContaining('Fine for development'),
      });
      const without = await findings(['--http-addr', url], { environment: {} });
      expect(without.of('environment')?.says).toMatch(/^neither CONSUL_\* nor ROOKERY_\* is set/);
    });

    it('looks at what is registered', async () => {
      const [closed = 0] = await freePorts(1);
      agent.answers['/v1/agent/services'] = {
        a: service('my_shop-1', port, '127.0.0.1'),
        b: service('web-2', closed, '127.0.0.1'),
        c: service('tcp-1', 0),
      };
      agent.answers['/v1/agent/checks'] = {
        1: check('web-2', 'critical', 'HTTP', 'no route'),
        2: check('web-2', 'critical', 'disk', 'full'),
        3: check('web-2', 'passing', 'other', 'well'),
      };
      expect((await findings()).of('registrations')).toMatchObject({
        status: 'warning',
        says: [
          '"my_shop" is no name that DNS can find',
          'web-2 is critical: no route; full',
          `web-2: 127.0.0.1:${closed} accepts no connection from here`,
        ].join(' | '),
        cure: expect.stringContaining('rookery status shows all of them'),
      });
      agent.answers['/v1/agent/services'] = Object.fromEntries(
        Array.from({ length: 9 }, (_, n) => [n, service(`a_${n}-1`, 0)]),
      );
      expect((await findings()).of('registrations')?.says.split(' | ')).toHaveLength(5);
    });

    it('looks at an app', async () => {
      agent.answers['/health/ready'] = { status: 'ok' };
      agent.answers['/discovery'] = { services: [{ service: 'web', usable: 2 }] };
      const app = async () => (await findings(['--app', url])).of('app');
      expect(await app()).toEqual({
        ...{ what: 'app', status: 'ok' },
        says: `${url} is ready, and every service that it uses has a usable instance`,
      });
      agent.answers['/discovery'] = {
        services: [
          { service: 'web', usable: 0 },
          { service: 'api', usable: 0 },
          { service: 'x', usable: 1 },
        ],
      };
      expect(await app()).toMatchObject({
        ...{ status: 'failed', says: `${url} has no usable instance of web, api` },
        cure: `rookery explain web --app ${url}`,
      });
      agent.answers['/health/ready'] = { status: 'error' };
      expect(await app()).toMatchObject({
        ...{ status: 'failed', says: `${url} is not ready: {"status":"error"}` },
        cure: expect.stringContaining('see what its health contributors say'),
      });
      agent.answers['/health/ready'] = { status: 'up' };
      agent.answers['/discovery'] = {};
      expect((await app())?.status).toBe('ok');
      agent.answers['/discovery'] = undefined;
      expect(await app()).toMatchObject({ status: 'failed', says: expect.stringContaining('answered 404') });
    });
  });
});
