import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import axios, { type AxiosInstance } from 'axios';
import type { Way } from './case.js';
import { CASES } from './cases.js';
import { contractClient, differs, waysOf } from './contract-clients.js';
import { DIFFERENCES } from './differences.js';
import { ContractServer } from './outcome.js';

describe('F57 an HttpService is one', () => {
  let server: ContractServer;
  let plain: AxiosInstance;
  let ways: Record<Way, AxiosInstance>;
  let close: () => Promise<unknown>;

  beforeAll(async () => {
    server = await ContractServer.start(CASES);
    plain = axios.create({ baseURL: server.origin, proxy: false });
    const { axiosRef, close: closeClient } = await contractClient({
      address: '127.0.0.1',
      port: server.port,
    });
    close = closeClient;
    ways = waysOf(axiosRef);
  });
  afterAll(async () => {
    await close();
    await server.stop();
  });

  it('has 300 cases and more', () => {
    expect(CASES.length).toBeGreaterThanOrEqual(300);
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  });

  it('differs only as it says', async () => {
    const asked = async (http: AxiosInstance): Promise<unknown> =>
      (await http.get<unknown>('/encoding')).config.headers.get('accept-encoding');
    expect([await asked(ways.lean), await asked(plain)]).toEqual(['identity', 'gzip, compress, deflate, br']);
    const shown = new Set<string>(CASES.flatMap(({ differs }) => differs ?? []));
    // The limit of what is buffered has tests of its own (F52), and so has TLS.
    expect([...shown, 'accept-encoding', 'max-content-length', 'host-over-tls'].sort()).toEqual(
      [...DIFFERENCES].sort(),
    );
  });

  describe.each(['lean', 'core', 'transport'] as const)('by the way %s', (way) => {
    const numbered = CASES.map((each, at) => ({ each, at }));

    it.each(
      numbered.filter(({ each }) => !differs(each, way)).map(({ each, at }) => [each.name, at] as const),
    )('%s', async (_, at) => {
      const expected = await server.outcome(at, plain);
      expect(await server.outcome(at, ways[way])).toEqual(expected);
    });

    it.each(
      numbered
        .filter(({ each }) => differs(each, way))
        .map(({ each, at }) => [each.differs, each.name, at] as const),
    )('differs (%s): %s', async (_difference, _name, at) => {
      const plainOutcome = await server.outcome(at, plain);
      expect(await server.outcome(at, ways[way])).not.toEqual(plainOutcome);
    });
  });
});
