import { beforeEach, describe, expect, it } from '@jest/globals';
import { DiscoveryError } from '@rookery/discovery';
import { delay, type RegistrySwitch } from '@rookery/discovery/adapter';
import { FakeClock } from '@rookery/test-support';
import { AgentFailover } from './agent-failover.js';
import { AgentSwitchedError } from './agent-switched-error.js';
import { shareConnections } from './connection-budget.js';
import type { Transport, TransportResponse, TransportCall } from './consul-transport.js';

class FakeTransport implements Transport {
  readonly budget = shareConnections();
  readonly disconnects = 0;
  readonly asked: string[] = [];
  failing: 'RK_REGISTRY_UNREACHABLE' | 'RK_REGISTRY_TIMEOUT' | 'RK_REGISTRY_NO_LEADER' | undefined;
  leader = '"127.0.0.1:8300"';

  isFrozen = false;

  constructor(
    readonly url: string,
    private readonly clock: FakeClock,
  ) {}

  async send({ path, deadlineMs, signal }: TransportCall): Promise<TransportResponse> {
    this.asked.push(path);
    if (this.isFrozen) {
      await delay(this.clock, deadlineMs, signal ?? new AbortController().signal);
      throw new DiscoveryError('RK_REGISTRY_TIMEOUT', 'no response');
    }
    const isLook = path === '/v1/status/leader';
    if (this.failing && !(isLook && this.leader)) throw new DiscoveryError(this.failing, 'no');
    return { status: 200, headers: {}, body: Buffer.from(isLook ? this.leader : this.url) };
  }

  async close(): Promise<void> {
    this.asked.push('close');
  }
}

describe('AgentFailover', () => {
  let clock: FakeClock;
  let first: FakeTransport;
  let second: FakeTransport;
  let agents: AgentFailover;
  let switches: RegistrySwitch[];
  const send = async (path: string, more: Partial<TransportCall> = {}): Promise<string> => {
    const call: TransportCall = {
      method: 'GET',
      path,
      query: new URLSearchParams(),
      body: undefined,
      lane: 'plain',
      deadlineMs: 5_000,
      signal: undefined,
      token: undefined,
      accept: [],
      ...more,
    };
    return (await agents.send(call)).body.toString();
  };
  const away = (agent: FakeTransport): void => {
    agent.failing = 'RK_REGISTRY_UNREACHABLE';
    agent.leader = '';
  };
  const back = (agent: FakeTransport): void => {
    agent.failing = undefined;
    agent.leader = '"127.0.0.1:8300"';
  };

  beforeEach(() => {
    clock = new FakeClock();
    [first, second] = [new FakeTransport('first', clock), new FakeTransport('second', clock)];
    switches = [];
    agents = new AgentFailover(first, [second], clock, (change) => switches.push(change));
  });

  it('uses the next agent while the first is unreachable, and the first again once that has a leader', async () => {
    expect(await send('/v1/catalog/services')).toBe('first');
    away(first);
    expect(await send('/v1/catalog/services')).toBe('second');
    const lost = agents.disconnects;
    expect(lost).toBeGreaterThan(0);
    first.failing = undefined; // it answers, and has no leader yet
    await clock.advance(10_000);
    expect(await send('/v1/catalog/services')).toBe('second');
    back(first);
    await clock.advance(2_000);
    expect(await send('/v1/catalog/services')).toBe('first');
    expect(switches).toEqual([
      { from: 'first', to: 'second', reason: 'no' },
      { from: 'second', to: 'first', reason: undefined },
    ]);
    expect(agents.disconnects).toBeGreaterThan(lost); // no position outlives the change
    expect(clock.pending).toBe(0);
  });

  it('sends what belongs to the first agent only to that one', async () => {
    away(first);
    await expect(send('/v1/agent/service/register', { method: 'PUT' })).rejects.toThrow('no');
    expect(second.asked).toEqual([]);
  });

  it('never repeats a write or a blocking query', async () => {
    away(first);
    await expect(send('/v1/kv/a', { method: 'PUT' })).rejects.toThrow('no');
    back(first);
    await clock.advance(2_000);
    away(first);
    await expect(send('/v1/health/service/a', { lane: 'list' })).rejects.toThrow('no');
    expect(await send('/v1/health/service/a', { lane: 'list' })).toBe('second');
    await agents.close();
    expect(clock.pending).toBe(0);
  });

  it('does not fail over because of one call with a short timeout', async () => {
    first.failing = 'RK_REGISTRY_TIMEOUT';
    await expect(send('/v1/kv/slow')).rejects.toThrow('no');
    first.failing = undefined;
    expect(await send('/v1/catalog/services')).toBe('first');
    first.failing = 'RK_REGISTRY_NO_LEADER';
    first.leader = '';
    expect(await send('/v1/catalog/services')).toBe('second');
    await agents.close();
  });

  it('F55 leaves a frozen agent while a blocking query waits for it', async () => {
    first.isFrozen = true;
    const list = send('/v1/health/service/a', { lane: 'list', deadlineMs: 70_000 });
    const outcome = list.catch((error: unknown) => error);
    await clock.advance(2_900);
    expect(second.asked).toEqual([]);
    await clock.advance(200);
    expect(await outcome).toBeInstanceOf(AgentSwitchedError);
    expect(await send('/v1/health/service/a', { lane: 'list' })).toBe('second');
    first.isFrozen = false;
    await clock.advance(4_000);
    expect(await send('/v1/health/service/a', { lane: 'list' })).toBe('first');
    expect(clock.pending).toBe(0);
  });

  it('F55 takes blocking queries along when another request leaves the agent first', async () => {
    first.isFrozen = true;
    const blocking = send('/v1/health/service/a', { lane: 'list', deadlineMs: 70_000 });
    const outcome = blocking.catch((error: unknown) => error);
    first.failing = 'RK_REGISTRY_UNREACHABLE';
    first.isFrozen = false;
    first.leader = '';
    expect(await send('/v1/catalog/services')).toBe('second');
    expect(await outcome).toBeInstanceOf(AgentSwitchedError);
    await agents.close();
  });

  it('F55 stays with an agent that answers late once, and pings only while a blocking query waits', async () => {
    await clock.advance(60_000);
    expect(first.asked).toEqual([]);
    first.isFrozen = true;
    const list = send('/v1/health/service/a', { lane: 'list', deadlineMs: 70_000 });
    const outcome = list.catch((error: unknown) => error);
    await clock.advance(1_500);
    first.isFrozen = false;
    await clock.advance(60_000);
    expect(second.asked).toEqual([]);
    await clock.advance(10_000);
    expect(await outcome).not.toBeInstanceOf(AgentSwitchedError);
    expect(clock.pending).toBe(0);
    await agents.close();
  });

  it('fails with the reason when all agents are unreachable', async () => {
    away(first);
    away(second);
    await expect(send('/v1/catalog/services')).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    back(second);
    await expect(send('/v1/catalog/services')).resolves.toBe('second');
    await agents.close();
    expect(agents.url).toBe('first, second');
  });

  it('asks the first agent about its own state, whatever happens', async () => {
    away(first);
    await expect(send('/v1/agent/services')).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    expect([second.asked, switches]).toEqual([[], []]);
    await send('/v1/catalog/services');
    await expect(send('/v1/agent/services')).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    expect(second.asked).toEqual(['/v1/catalog/services']);
    expect(agents.url).toBe('first, second');
    expect(agents.budget).toBe(first.budget);
    await agents.close();
  });

  it('counts its switches as disconnects, with those of its agents', async () => {
    Object.assign(first, { disconnects: 2 });
    Object.assign(second, { disconnects: 3 });
    expect(agents.disconnects).toBe(5);
    away(first);
    await send('/v1/catalog/services');
    expect(agents.disconnects).toBe(6);
    back(first);
    await clock.advance(2_000);
    expect(agents.disconnects).toBe(7);
    expect(switches).toEqual([
      { from: 'first', to: 'second', reason: 'no' },
      { from: 'second', to: 'first', reason: undefined },
    ]);
  });

  it('fails when all are unreachable, after one try at each, and repeats no write', async () => {
    away(first);
    away(second);
    await expect(send('/v1/catalog/services')).rejects.toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    const looks = (agent: FakeTransport): number =>
      agent.asked.filter((path) => path === '/v1/catalog/services').length;
    expect([looks(first), looks(second)]).toEqual([1, 1]);
    await agents.close();
    agents = new AgentFailover(first, [second], clock, (change) => switches.push(change));
    first.asked.length = second.asked.length = 0;
    await expect(send('/v1/kv/a', { method: 'PUT' })).rejects.toMatchObject({
      code: 'RK_REGISTRY_UNREACHABLE',
    });
    expect([first.asked, second.asked]).toEqual([['/v1/kv/a'], []]);
    await agents.close();
  });

  it('leaves an agent that answers an error, or does not know of a leader, where it is', async () => {
    first.failing = 'RK_REGISTRY_NO_LEADER';
    await expect(send('/v1/catalog/services')).rejects.toMatchObject({ code: 'RK_REGISTRY_NO_LEADER' });
    expect([switches, second.asked]).toEqual([[], []]);
  });

  it('asks for a leader with a request that no other one holds up', async () => {
    const calls: TransportCall[] = [];
    const original = first.send.bind(first);
    first.send = async (call) => {
      calls.push(call);
      return original(call);
    };
    first.failing = 'RK_REGISTRY_TIMEOUT';
    await expect(send('/v1/catalog/services')).rejects.toMatchObject({ code: 'RK_REGISTRY_TIMEOUT' });
    expect(calls[1]).toEqual({
      ...{ method: 'GET', path: '/v1/status/leader', query: new URLSearchParams(), body: undefined },
      ...{ lane: 'heartbeat', deadlineMs: 2_000, signal: undefined, token: undefined, accept: [] },
    });
  });

  it('closes all of its agents, and switches no more', async () => {
    away(first);
    await send('/v1/catalog/services');
    await agents.close();
    back(first);
    await clock.advance(10_000);
    expect([first.asked.at(-1), second.asked.at(-1), switches.length, clock.pending]).toEqual([
      'close',
      'close',
      1,
      0,
    ]);
    away(second);
    await send('/v1/catalog/services').catch(() => undefined);
    expect(switches).toHaveLength(1);
  });
});
