import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServiceInstance } from '@rookery/discovery';
import { READINESS_META, type ServiceRegistry } from '@rookery/discovery/adapter';
import { thrownBy } from '@rookery/test-support';
import { getGlobalDispatcher, MockAgent, setGlobalDispatcher, type Dispatcher } from 'undici';
import { isSigned, PEER_HEADER } from './peer-signature.js';
import { SystemView } from './system-view.js';

const SECRET = 'a-secret-of-the-system';

describe('what all apps of a system see', () => {
  let before: Dispatcher;
  let peers: MockAgent;
  beforeEach(() => {
    before = getGlobalDispatcher();
    peers = new MockAgent();
    peers.disableNetConnect();
    setGlobalDispatcher(peers);
  });
  afterEach(async () => {
    setGlobalDispatcher(before);
    await peers.close();
  });

  /** What the registry has; an error is what reading it fails with. */
  let services: Record<string, Partial<ServiceInstance>[] | Error> | Error;
  const registry = {
    services: () => (services instanceof Error ? Promise.reject(services) : Promise.resolve(services)),
    readConsistent: (name: string) => {
      const found = services instanceof Error ? services : services[name];
      return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
    },
  } as unknown as ServiceRegistry;
  const instance = (
    service: string,
    address: string,
    port: number,
    secure = false,
  ): Partial<ServiceInstance> => ({
    ...{ id: `${service}-1`, service, address, port, secure, status: 'passing' },
    meta: { [READINESS_META]: '/health/ready' },
  });
  const view = (): SystemView =>
    new SystemView(registry, {
      ...{ path: '/rookery', secret: SECRET, limit: 10, timeoutMs: 5_000, isOwn: () => false },
      dispatcherTo: () => undefined,
    });
  /** The peer at an origin is there, and knows what it is asked for. */
  const peer = (origin: string): void => {
    const { host } = new URL(origin);
    peers
      .get(origin)
      .intercept({ path: '/rookery/peer' })
      .reply(({ headers }) => {
        const given = (headers as Record<string, string>)[PEER_HEADER];
        const isRight = isSigned(given, host, SECRET, Date.now());
        return { statusCode: isRight ? 200 : 403, data: JSON.stringify({ app: { id: host }, services: [] }) };
      })
      .persist();
  };
  const idsOf = async (seen: SystemView, ticks: number): Promise<string[]> =>
    (await seen.collect('own', ticks)).peers.map(({ state, error }) => state?.app.id ?? error ?? '');

  it('is asked for of peers at the ports of their schemes, too', async () => {
    services = {
      a: [instance('a', '10.0.0.1', 80)],
      b: [instance('b', '10.0.0.2', 443, true)],
      c: [instance('c', '10.0.0.3', 3000)],
    };
    for (const origin of ['http://10.0.0.1', 'https://10.0.0.2', 'http://10.0.0.3:3000']) peer(origin);
    expect((await idsOf(view(), 0)).sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3:3000']);
  });

  it('is asked for of no more peers once it is closed', async () => {
    services = { a: Array.from({ length: 20 }, (_, n) => instance('a', `10.0.0.${n}`, 80)) };
    let asked = 0;
    const seen: SystemView = new SystemView(registry, {
      ...{ path: '/rookery', secret: SECRET, limit: 20, timeoutMs: 5_000, isOwn: () => false },
      dispatcherTo: () => {
        asked++;
        seen.close();
        return undefined;
      },
    });
    await seen.collect('own', 0);
    expect(asked).toBe(1);
  });

  it('stays where the registry fails for a while, as a whole or for one service', async () => {
    const both = { a: [instance('a', '10.0.0.1', 80)], b: [instance('b', '10.0.0.2', 80)] };
    for (const origin of ['http://10.0.0.1', 'http://10.0.0.2']) peer(origin);
    const seen = view();
    services = new Error('no leader');
    expect(await thrownBy(() => seen.collect('own', 0))).toMatchObject({ message: 'no leader' });
    services = both;
    // It is read again after five seconds, and not after half a minute.
    expect(await idsOf(seen, 5_000)).toEqual(['10.0.0.1', '10.0.0.2']);
    services = { a: both.a, b: new Error('no leader') };
    expect(await idsOf(seen, 36_000)).toEqual(['10.0.0.1', '10.0.0.2']);
    services = new Error('no leader');
    await thrownBy(() => seen.collect('own', 67_000));
    expect(await idsOf(seen, 68_000)).toEqual(['10.0.0.1', '10.0.0.2']);
  });
});
