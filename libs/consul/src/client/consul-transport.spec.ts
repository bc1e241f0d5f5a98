import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import { Secret } from '@rookery/discovery/adapter';
import { resolveAgent, type AgentOptions, type ResolvedAgent } from './agent-options.js';
import { ConsulTransport, type HttpPool, type TransportCall } from './consul-transport.js';
import { RequestListeners } from './request-listeners.js';
import type { TokenSource } from './token-source.js';

type Request = Parameters<HttpPool['request']>[0];
interface Answer {
  readonly statusCode?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer | readonly string[];
}

const codeError = (code: string): Error => Object.assign(new Error(`it failed: ${code}\nand more`), { code });

describe('ConsulTransport', () => {
  let clock: FakeClock;
  let asked: Request[];
  let answers: (Answer | Error | Promise<Answer>)[];
  let disconnect: ((reason: unknown) => void) | undefined;
  let pools: number[];
  let destroyed: number;

  beforeEach(() => {
    clock = new FakeClock();
    asked = [];
    answers = [];
    pools = [];
    destroyed = 0;
    disconnect = undefined;
  });

  const agentOf = (options: AgentOptions = {}): ResolvedAgent => {
    const { agent } = resolveAgent({ url: 'http://127.0.0.1:8500', ...options }, {});
    if (!agent) throw new Error('its options are wrong');
    return agent;
  };
  const open = (agent = agentOf(), requests?: RequestListeners): ConsulTransport =>
    new ConsulTransport(agent, {
      clock,
      requests,
      openPool: (connections, onDisconnect) => {
        pools.push(connections);
        disconnect = onDisconnect;
        return {
          request: async (request) => {
            asked.push(request);
            const answer = await Promise.race([
              answers.shift() ?? {},
              new Promise<Answer>((_resolve, reject) =>
                request.signal.addEventListener('abort', () => reject(request.signal.reason as Error)),
              ),
            ]);
            if (answer instanceof Error) throw answer;
            const { statusCode = 200, headers = {}, body = '' } = answer;
            const pieces = async function* (): AsyncGenerator<Buffer> {
              for (const piece of Array.isArray(body) ? (body as string[]) : [body as string])
                yield Buffer.from(piece);
            };
            return { statusCode, headers, body: pieces() };
          },
          destroy: async () => {
            destroyed++;
          },
        };
      },
    });
  const call = (changes: Partial<TransportCall> = {}): TransportCall => ({
    ...{ method: 'GET', path: '/v1/kv/a', query: new URLSearchParams(), body: undefined, lane: 'plain' },
    ...{ deadlineMs: 5_000, signal: undefined, token: undefined, accept: [], ...changes },
  });
  const tokens = (): (string | undefined)[] => asked.map(({ headers }) => headers['x-consul-token']);

  it('sends what it is told to, and returns what came', async () => {
    answers = [{ headers: { a: 'b' }, body: ['one ', 'two'] }];
    const query = new URLSearchParams({ index: '7' });
    const response = await open().send(call({ query, body: 'x' }));
    expect(response).toMatchObject({
      status: 200,
      headers: { a: 'b' },
      body: Buffer.from('one two'),
      isAnonymous: true,
    });
    expect(asked[0]).toMatchObject({
      method: 'GET',
      path: '/v1/kv/a?index=7',
      body: 'x',
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    expect(asked[0]?.headers).toEqual({});
    expect(clock.pending).toBe(0);
  });

  it('names its agent, below a path of a proxy, or on a socket', async () => {
    const behind = open(agentOf({ url: 'http://10.0.0.1:8500/consul' }));
    expect(behind.url).toBe('http://10.0.0.1:8500/consul');
    await behind.send(call());
    expect(asked[0]?.path).toBe('/consul/v1/kv/a');
    expect(asked[0]?.body).toBeNull();
    expect(open(agentOf({ url: 'unix:///run/consul.sock' })).url).toBe('unix:///run/consul.sock');
  });

  it('has answers compressed that come from another host', async () => {
    answers = [{ headers: { 'content-encoding': 'gzip' }, body: gzipSync('unpacked') }];
    const elsewhere = open(agentOf({ url: 'http://10.0.0.1:8500' }));
    expect((await elsewhere.send(call())).body.toString()).toBe('unpacked');
    await elsewhere.send(call({ method: 'PUT' }));
    await open().send(call());
    expect(asked.map(({ headers }) => headers['accept-encoding'])).toEqual(['gzip', undefined, undefined]);
  });

  it('sends a password, and the token', async () => {
    await open(agentOf({ url: 'http://user:word@127.0.0.1:8500', token: 'own' })).send(call());
    await open(agentOf({ token: 'own' })).send(call({ token: 'given' }));
    await open(agentOf({ token: 'own' })).send(call({ token: '' }));
    expect(tokens()).toEqual(['own', 'given', undefined]);
    expect(asked[0]?.headers.authorization).toBe(`Basic ${Buffer.from('user:word').toString('base64')}`);
  });

  it('opens the connections of each lane when it is used, and closes all', async () => {
    const transport = open();
    await transport.send(call());
    await transport.send(call());
    await transport.send(call({ lane: 'list' }));
    expect(pools).toEqual([transport.budget.plain, transport.budget.list]);
    await transport.close();
    expect(destroyed).toBe(2);
    await expect(transport.send(call())).rejects.toMatchObject({
      ...{ code: 'RK_REGISTRY_UNREACHABLE', hint: 'It was used after app.close()' },
    });
  });

  it('takes other statuses for errors, but those that are accepted', async () => {
    answers = [
      { statusCode: 404, body: 'none' },
      { statusCode: 299 },
      { statusCode: 300, body: 'x' },
      { statusCode: 199 },
    ];
    expect((await open().send(call({ accept: [404] }))).status).toBe(404);
    expect((await open().send(call())).status).toBe(299);
    await expect(open().send(call())).rejects.toMatchObject({ status: 300 });
    await expect(open().send(call())).rejects.toMatchObject({ status: 199 });
    answers = [{ statusCode: 503, headers: { 'retry-after': '7' }, body: 'busy' }];
    await expect(open().send(call())).rejects.toMatchObject({ retryAfterMs: 7_000 });
  });

  describe('has a deadline', () => {
    it('for all of a request', async () => {
      answers = [new Promise(() => undefined)];
      const sent = open().send(call({ deadlineMs: 1_500 }));
      sent.catch(() => undefined);
      await clock.advance(1_499);
      expect(asked[0]?.signal.aborted).toBe(false);
      await clock.advance(1);
      await expect(sent).rejects.toMatchObject({
        code: 'RK_REGISTRY_TIMEOUT',
        message: expect.stringContaining('GET http://127.0.0.1:8500/v1/kv/a: no response in 1500 ms'),
        hint: expect.stringContaining('overloaded, frozen, or cut off'),
      });
      expect(clock.pending).toBe(0);
    });

    it('and ends when it is no longer wanted, also before it was sent', async () => {
      answers = [new Promise(() => undefined)];
      const aborting = new AbortController();
      const sent = open().send(call({ signal: aborting.signal }));
      await settle();
      aborting.abort(new Error('gone'));
      await expect(sent).rejects.toThrow('gone');
      await expect(open().send(call({ signal: aborting.signal }))).rejects.toThrow('gone');
      expect(clock.pending).toBe(0);
    });
  });

  describe('repeats', () => {
    it.each(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])(
      'a read once when its connection was closed: %s',
      async (code) => {
        answers = [codeError(code), { body: 'x' }];
        expect((await open().send(call())).body.toString()).toBe('x');
        answers = [codeError(code), codeError(code)];
        await expect(open().send(call())).rejects.toMatchObject({
          code: 'RK_REGISTRY_UNREACHABLE',
          message: expect.stringMatching(/\/v1\/kv\/a: it failed: [A-Z_]+\. /),
        });
        expect(asked).toHaveLength(4);
      },
    );

    it.each([
      ['a write', { method: 'PUT' }, 'ECONNRESET'],
      ['a blocking query', { lane: 'list' }, 'ECONNRESET'],
      ['what was refused', {}, 'ECONNREFUSED'],
    ] as const)('never %s', async (_name, changes, code) => {
      answers = [codeError(code)];
      await expect(open().send(call(changes))).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
      expect(asked).toHaveLength(1);
    });
  });

  describe('that is refused its token', () => {
    const UNKNOWN = { statusCode: 403, body: 'ACL not found' };
    const FORBIDDEN = { statusCode: 403, body: 'Permission denied' };
    let refused: unknown[];
    let next: string | undefined;
    const source = (previous?: string): TokenSource => {
      let current = 'first';
      refused = [];
      return {
        current: async () => new Secret(current),
        refused: async (token, isUnknown) => {
          refused.push([token?.reveal(), isUnknown]);
          if (next === undefined) return false;
          current = next;
          return true;
        },
        version: 1,
        ...(previous === undefined ? {} : { previous: new Secret(previous) }),
      };
    };
    const openWith = (previous?: string): ConsulTransport => open({ ...agentOf(), token: source(previous) });

    it('fetches another one, and tries that once', async () => {
      next = 'second';
      answers = [UNKNOWN, { body: 'x' }];
      expect((await openWith().send(call())).body.toString()).toBe('x');
      expect([tokens(), refused]).toEqual([['first', 'second'], [['first', true]]]);
      answers = [FORBIDDEN, FORBIDDEN];
      await expect(openWith('before').send(call())).rejects.toMatchObject({ code: 'RK_ACL_DENIED' });
      expect([tokens().slice(2), refused]).toEqual([['first', 'second'], [['first', false]]]);
    });

    it('fails where there is no other', async () => {
      next = undefined;
      answers = [FORBIDDEN];
      await expect(openWith('before').send(call())).rejects.toMatchObject({ code: 'RK_ACL_DENIED' });
      answers = [UNKNOWN];
      await expect(openWith().send(call())).rejects.toMatchObject({ code: 'RK_ACL_DENIED' });
      expect(tokens()).toEqual(['first', 'first']);
    });

    it('uses the one before while the agent does not know the new one', async () => {
      for (const [following, sent] of [
        [undefined, ['first', 'before']],
        ['second', ['first', 'second', 'before']],
      ] as const) {
        next = following;
        asked = [];
        answers = [...sent.slice(1).map(() => UNKNOWN), { body: 'x' }];
        expect((await openWith('before').send(call())).body.toString()).toBe('x');
        expect(tokens()).toEqual(sent);
      }
      answers = [UNKNOWN, UNKNOWN, FORBIDDEN];
      await expect(openWith('before').send(call())).rejects.toMatchObject({
        message: expect.stringContaining('ACL not found'),
      });
    });

    it('does not use it for what binds the token, nor another one for a request that brought its own', async () => {
      next = undefined;
      answers = [UNKNOWN];
      await expect(openWith('before').send(call({ bindsToken: true }))).rejects.toMatchObject({
        code: 'RK_ACL_DENIED',
      });
      answers = [UNKNOWN];
      await expect(openWith('before').send(call({ token: 'given' }))).rejects.toMatchObject({
        code: 'RK_ACL_DENIED',
      });
      expect(tokens()).toEqual(['first', 'given']);
      expect(refused).toEqual([]);
    });
  });

  it('counts the connections that ended, but those that the peer has announced, and idle ones', async () => {
    const transport = open();
    await transport.send(call());
    disconnect?.(codeError('UND_ERR_INFO'));
    expect(transport.disconnects).toBe(0);
    disconnect?.(codeError('ECONNRESET'));
    disconnect?.(undefined);
    expect(transport.disconnects).toBe(2);
    answers = [{ headers: { connection: 'close' } }];
    await transport.send(call());
    disconnect?.(codeError('UND_ERR_SOCKET'));
    expect(transport.disconnects).toBe(2);
    disconnect?.(codeError('UND_ERR_SOCKET'));
    expect(transport.disconnects).toBe(3);
  });

  it('tells of each request, but of those that are no longer wanted', async () => {
    const heard: unknown[] = [];
    const listeners = new RequestListeners();
    listeners.add(({ operation, durationMs, status, error }) =>
      heard.push([operation, durationMs, status, (error as { code?: string } | undefined)?.code]),
    );
    const transport = open(agentOf(), listeners);
    let answer: (answered: Answer) => void = () => undefined;
    answers = [
      new Promise((resolve) => (answer = resolve)),
      { statusCode: 500, body: 'x' },
      codeError('ECONNREFUSED'),
    ];
    const sent = transport.send(call());
    await clock.advance(30);
    answer({});
    await sent;
    await transport.send(call()).catch(() => undefined);
    await transport.send(call()).catch(() => undefined);
    const aborting = new AbortController();
    answers = [new Promise(() => undefined)];
    const unwanted = transport.send(call({ signal: aborting.signal }));
    await settle();
    aborting.abort(new Error('gone'));
    await unwanted.catch(() => undefined);
    expect(heard).toEqual([
      ['GET kv', 30, 200, undefined],
      ['GET kv', 0, 500, 'RK_REGISTRY_ERROR'],
      ['GET kv', 0, undefined, 'RK_REGISTRY_UNREACHABLE'],
    ]);
  });
});
