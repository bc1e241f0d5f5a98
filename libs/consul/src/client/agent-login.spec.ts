import { describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import { AgentLogin } from './agent-login.js';
import type { ResolvedAgent } from './agent-options.js';
import { ConsulError } from './consul-error.js';
import type { Transport, TransportCall } from './consul-transport.js';

describe('AgentLogin', () => {
  const away = new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'away', {});
  const agent = { timeoutMs: 5_000 } as ResolvedAgent;
  const login = { method: 'kubernetes', bearerToken: 'jwt' };
  let asked: string[] = [];
  let closed: string[] = [];

  const transport =
    (name: string, answer: (call: TransportCall) => unknown): (() => Transport) =>
    () =>
      ({
        send: async (call: TransportCall) => {
          asked.push(`${name} ${call.path}`);
          const body = answer(call);
          if (body instanceof Error) throw body;
          const status = body === 403 ? 403 : 200;
          return { status, headers: {}, body: Buffer.from(JSON.stringify(body)) };
        },
        close: async () => void closed.push(name),
      }) as unknown as Transport;
  const open = (...transports: (() => Transport)[]): AgentLogin => {
    asked = [];
    closed = [];
    return new AgentLogin(agent, transports);
  };

  it('waits until the token is known, over a connection of its own', async () => {
    let questions = 0;
    const made = open(
      transport('a', ({ path }) =>
        path.endsWith('login') ? { SecretID: 'made' } : ++questions < 3 ? 403 : {},
      ),
    );
    expect(await made.login(login)).toEqual({ secret: 'made', validForMs: undefined });
    expect(asked).toEqual(['a /v1/acl/login', ...Array.from({ length: 3 }, () => 'a /v1/acl/token/self')]);
    expect(closed).toEqual(['a']);
  });

  it('is content with a token of which it cannot find out whether it is known', async () => {
    const made = open(
      transport('a', ({ path }) => (path.endsWith('login') ? { SecretID: 'made' } : away)),
      transport('b', () => ({ SecretID: 'another' })),
    );
    expect((await made.login(login)).secret).toBe('made');
    expect(asked).toEqual(['a /v1/acl/login', 'a /v1/acl/token/self']);
  });

  it('asks the next agent where one is unreachable, and no other where one refuses', async () => {
    const answering = transport('b', ({ path }) => (path.endsWith('login') ? { SecretID: 'made' } : {}));
    const second = open(
      transport('a', () => away),
      answering,
    );
    expect((await second.login(login)).secret).toBe('made');
    expect([asked[0], asked[1], closed]).toEqual(['a /v1/acl/login', 'b /v1/acl/login', ['a', 'b']]);
    const refusal = new ConsulError('RK_ACL_DENIED', 'no such role', {});
    const refused = open(
      transport('a', () => refusal),
      answering,
    );
    await expect(refused.login(login)).rejects.toMatchObject({ code: 'RK_ACL_DENIED' });
    expect([asked, closed]).toEqual([['a /v1/acl/login'], ['a']]);
    const broken = open(
      transport('a', () => new Error('a fault of ours')),
      answering,
    );
    await expect(broken.login(login)).rejects.toThrow('a fault of ours');
    expect(closed).toEqual(['a']);
  });

  it('fails with the last of them when all are unreachable', async () => {
    const last = new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'away, too', {});
    await expect(
      open(
        transport('a', () => away),
        transport('b', () => last),
      ).login(login),
    ).rejects.toBe(last);
    expect(closed).toEqual(['a', 'b']);
  });

  it('logs out within two seconds', async () => {
    let deadlineMs = 0;
    await open(transport('a', (call) => ((deadlineMs = call.deadlineMs), {}))).logout('made');
    expect([asked, deadlineMs, closed]).toEqual([['a /v1/acl/logout'], 2_000, ['a']]);
  });
});
