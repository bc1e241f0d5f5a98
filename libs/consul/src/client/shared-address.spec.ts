import { describe, expect, it } from '@jest/globals';
import { ConsulError } from './consul-error.js';
import { shareConnections } from './connection-budget.js';
import type { Transport, TransportCall, TransportResponse } from './consul-transport.js';
import { SharedAddress } from './shared-address.js';

const CALL: TransportCall = {
  method: 'GET',
  path: '/v1/agent/service/mine',
  query: new URLSearchParams(),
  body: undefined,
  lane: 'plain',
  deadlineMs: 5_000,
  signal: undefined,
  token: undefined,
  accept: [],
};

class FakeTransport implements Transport {
  readonly url = 'http://consul';
  readonly budget = shareConnections();
  readonly disconnects = 0;
  isClosed = false;

  constructor(private readonly answer: () => Promise<TransportResponse>) {}

  send(): Promise<TransportResponse> {
    return this.answer();
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

const found = async (): Promise<TransportResponse> => ({ status: 200, headers: {}, body: Buffer.from('it') });
const absent = async (): Promise<TransportResponse> =>
  Promise.reject(new ConsulError('RK_NOT_FOUND', 'unknown service ID: mine'));
const refused = async (): Promise<TransportResponse> =>
  Promise.reject(new ConsulError('RK_REGISTRY_UNREACHABLE', 'too many connections'));

describe('SharedAddress', () => {
  const opened: FakeTransport[] = [];
  const address = (pooled: typeof found, ...others: (typeof found)[]): SharedAddress => {
    opened.length = 0;
    return new SharedAddress(new FakeTransport(pooled), () => {
      const agent = new FakeTransport(others[opened.length] ?? absent);
      opened.push(agent);
      return agent;
    });
  };

  it('F48 finds what another agent has, and says that there are several', async () => {
    const shared = address(absent, absent, found);
    expect((await shared.send(CALL)).body.toString()).toBe('it');
    expect(shared.hasSeveralAgents).toBe(true);
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  });

  it('does not look elsewhere for what is not about a registration', async () => {
    const shared = address(absent, found);
    await expect(shared.send({ ...CALL, path: '/v1/kv/mine' })).rejects.toMatchObject({
      code: 'RK_NOT_FOUND',
    });
    expect(opened).toHaveLength(0);
  });

  it('is not found where no agent has it, or no further connection can be opened', async () => {
    const nowhere = address(absent);
    await expect(nowhere.send(CALL)).rejects.toMatchObject({ code: 'RK_NOT_FOUND' });
    expect(opened).toHaveLength(4);
    const limited = address(absent, refused);
    await expect(limited.send(CALL)).rejects.toMatchObject({ code: 'RK_NOT_FOUND' });
    expect(limited.hasSeveralAgents).toBe(false);
  });

  it('close() ends the search', async () => {
    let reject: (error: Error) => void = () => undefined;
    const shared = address(absent, () => new Promise((_, fail) => (reject = fail)));
    const sent = shared.send(CALL);
    await new Promise((resolve) => setImmediate(resolve));
    await shared.close();
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true]);
    reject(new ConsulError('RK_NOT_FOUND', 'closed'));
    await expect(sent).rejects.toMatchObject({ code: 'RK_NOT_FOUND' });
    expect(opened).toHaveLength(1);
  });
});
