import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, thrownBy } from '@rookery/test-support';
import type { ConnectAuthorization, ConnectIntention } from '../client/api/types.js';
import { ConsulClient } from '../client/consul-client.js';
import type { IntentionRules } from './intention-decision.js';
import { watchIntentions, watchLeaf, watchRoots } from './watch-connect.js';

const BY_DEFAULT = 'Default behavior configured by ACLs';

function intention(SourceName: string, Action = 'allow'): ConnectIntention {
  return { SourceName, DestinationName: 'web', Action, Precedence: 9 };
}

describe('a watch of Connect', () => {
  interface Query {
    readonly of: string | undefined;
    readonly index?: string;
    readonly wait?: number;
    readonly signal: AbortSignal;
  }
  let clock: FakeClock;
  let queries: Query[];
  let client: { disconnects: number };
  const { signal } = new AbortController();
  /** Answers with these indexes, each after so long; then it fails. */
  const answers = (...all: (readonly [index: string | undefined, afterMs: number])[]): ConsulClient => {
    const read = async (of: string | undefined, query: Omit<Query, 'of'>): Promise<unknown> => {
      queries.push({ of, ...query });
      const answer = all.shift();
      if (!answer) throw new Error('it is over');
      const [index, afterMs] = answer;
      await clock.advance(afterMs);
      return { body: `at ${index}`, index };
    };
    client = {
      ...{ disconnects: 0, waitWithin: (ms: number) => Math.min(ms, 10_000) },
      ...{ connect: { roots: (query: Omit<Query, 'of'>) => read(undefined, query), leaf: read } },
    };
    return client as unknown as ConsulClient;
  };
  const seen = async (watch: AsyncIterable<unknown>, each?: () => void): Promise<unknown[]> => {
    const found: unknown[] = [];
    const watching = (async () => {
      for await (const update of watch) {
        found.push(update);
        each?.();
      }
    })();
    expect((await thrownBy(watching)).message).toBe('it is over');
    return found;
  };
  const options = (): { signal: AbortSignal; waitMs: () => number; clock: FakeClock } => ({
    signal,
    waitMs: () => 60_000,
    clock,
  });

  beforeEach(() => {
    clock = new FakeClock();
    queries = [];
  });

  it('of the authorities asks at once, and then waits for a change, no longer than the client may', async () => {
    const watch = watchRoots(answers(['7', 0], ['9', 10_000]), options());
    expect(await seen(watch)).toEqual(['at 7', 'at 9']);
    expect(queries).toEqual([
      { of: undefined, signal },
      { of: undefined, signal, index: '7', wait: 10_000 },
      { of: undefined, signal, index: '9', wait: 10_000 },
    ]);
  });

  it('of a certificate names its service', async () => {
    expect(await seen(watchLeaf(answers(['7', 0]), 'web', options()))).toEqual(['at 7']);
    expect(queries.map(({ of, index }) => [of, index])).toEqual([
      ['web', undefined],
      ['web', '7'],
    ]);
  });

  it.each([
    [
      'has no index',
      [
        ['7', 0],
        [undefined, 10_000],
      ],
    ],
    [
      'has an index that went backwards',
      [
        ['7', 0],
        ['5', 10_000],
      ],
    ],
    [
      'comes early and unchanged',
      [
        ['7', 0],
        ['7', 9_999],
      ],
    ],
  ] as const)('asks at once again when a response %s', async (_, responses) => {
    await seen(watchRoots(answers(...responses), options()));
    expect(queries.map(({ index }) => index)).toEqual([undefined, '7', undefined]);
  });

  it('goes on from the index of a response that came after its time, unchanged', async () => {
    await seen(watchRoots(answers(['7', 0], ['7', 10_000]), options()));
    expect(queries.map(({ index }) => index)).toEqual([undefined, '7', '7']);
  });

  it('asks at once again after a disconnect', async () => {
    await seen(watchRoots(answers(['7', 0], ['9', 10_000]), options()), () => client.disconnects++);
    expect(queries.map(({ index }) => index)).toEqual([undefined, undefined, undefined]);
  });
});

describe('the intentions for a service', () => {
  let authorized: { readonly at: number; readonly service: string; readonly uri: string }[];
  beforeEach(() => {
    authorized = [];
  });
  /** What Consul answers, one after the other; the last answer stays. */
  const rulesOf = async (
    lists: readonly (readonly ConnectIntention[])[],
    answers: readonly ConnectAuthorization[],
    scope: readonly (string | null)[] = [null],
  ): Promise<readonly IntentionRules[]> => {
    const clock = new FakeClock();
    const begun = clock.now();
    const next = <T>(all: readonly T[]): (() => T) => {
      let n = 0;
      return () => all[Math.min(n++, all.length - 1)] as T;
    };
    const [nextList, nextAnswer] = [next(lists), next(answers)];
    const client = {
      ...{ scope, disconnects: 0, waitWithin: (ms: number) => ms },
      connect: {
        intentions: async () => ({ body: [], index: String(lists.length) }),
        intentionsFor: async () => nextList(),
        authorize: async (service: string, uri: string) => {
          authorized.push({ at: clock.now() - begun, service, uri });
          return nextAnswer();
        },
      },
    };
    const target = { service: 'web', trustDomain: 'a.consul' };
    const options = { signal: new AbortController().signal, waitMs: () => 1_000, clock };
    const rules: IntentionRules[] = [];
    const watching = (async () => {
      for await (const each of watchIntentions(client as never, target, options))
        if (rules.push(each) === lists.length) return;
    })();
    watching.catch(() => undefined);
    for (let n = 0; n < 40; n++) await clock.advance(50);
    await watching;
    return rules;
  };

  it('have the default of Consul, which is asked for once', async () => {
    const rules = await rulesOf(
      [[], [intention('api')]],
      [
        { Authorized: true, Reason: BY_DEFAULT },
        { Authorized: false, Reason: BY_DEFAULT },
      ],
    );
    expect(rules.map(({ allowsByDefault }) => allowsByDefault)).toEqual([true, true]);
  });

  it('have another default than what an intention for all callers says, also after it was deleted', async () => {
    const matched = { Authorized: true, Reason: 'Matched intention: ALLOW default/* => default/web' };
    const rules = await rulesOf(
      [[intention('*')], []],
      [matched, matched, { Authorized: false, Reason: BY_DEFAULT }],
    );
    expect(rules.map(({ allowsByDefault }) => allowsByDefault)).toEqual([false, false]);
  });

  it('are not known while the agent only tells of an intention that is gone, which is asked for twenty times', async () => {
    const matched = { Authorized: true, Reason: 'Matched L4 intention: ALLOW *' };
    expect((await thrownBy(rulesOf([[]], [matched]))).message).toMatch(/does not tell what it decides/);
    expect(authorized).toHaveLength(20);
    expect(authorized.map(({ at }) => at).slice(0, 3)).toEqual([0, 50, 100]);
  });

  it('have the default that is found at the twentieth time', async () => {
    const matched = { Authorized: true, Reason: 'Matched intention: ALLOW *' };
    const late = Array.from({ length: 19 }, () => matched);
    const [rules] = await rulesOf([[]], [...late, { Authorized: true, Reason: BY_DEFAULT }]);
    expect(rules?.allowsByDefault).toBe(true);
  });

  it.each([
    [[null], 'dc1'],
    [['dc7'], 'dc7'],
  ])('have the default of the datacenter of the client, %j', async (scope, datacenter) => {
    await rulesOf([[]], [{ Authorized: true, Reason: BY_DEFAULT }], scope);
    expect(authorized).toEqual([
      { at: 0, service: 'web', uri: `spiffe://a.consul/ns/default/dc/${datacenter}/svc/rookery-no-service` },
    ]);
  });

  it('go by how a reason begins, in any case of letters', async () => {
    const by = (Reason: string): ConnectAuthorization => ({ Authorized: true, Reason });
    const [rules] = await rulesOf([[]], [by('MATCHED intention: ALLOW *'), by('No intention matched')]);
    expect(rules?.allowsByDefault).toBe(true);
    expect(authorized).toHaveLength(2);
  });

  it('allow nothing that Consul does not say in so many words', async () => {
    const [rules] = await rulesOf([[]], [{ Authorized: 'false' as never, Reason: BY_DEFAULT }]);
    expect(rules?.allowsByDefault).toBe(false);
  });

  describe('from something that is not Consul', () => {
    let server: Server | undefined;
    afterEach(() => {
      server?.close().closeAllConnections();
    });

    it.each(['{}', '{"other":[]}'])('are an error: %s', async (body) => {
      server = createServer((_, response) => response.end(body));
      await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const client = ConsulClient.create({ url: `http://127.0.0.1:${port}` }, {});
      expect(await thrownBy(client.connect.intentionsFor('web'))).toMatchObject({
        code: 'RK_REGISTRY_BAD_RESPONSE',
      });
      await client.close();
    });
  });
});
