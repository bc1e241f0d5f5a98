import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { FakeClock, thrownBy } from '@rookery/test-support';
import type { ConnectAuthorization, ConnectIntention } from '../client/api/types.js';
import { ConsulClient } from '../client/consul-client.js';
import type { IntentionRules } from './intention-decision.js';
import { watchIntentions } from './watch-connect.js';

const BY_DEFAULT = 'Default behavior configured by ACLs';

function intention(SourceName: string, Action = 'allow'): ConnectIntention {
  return { SourceName, DestinationName: 'web', Action, Precedence: 9 };
}

describe('the intentions for a service', () => {
  /** What Consul answers, one after the other; the last answer stays. */
  const rulesOf = async (
    lists: readonly (readonly ConnectIntention[])[],
    answers: readonly ConnectAuthorization[],
  ): Promise<readonly IntentionRules[]> => {
    const clock = new FakeClock();
    const next = <T>(all: readonly T[]): (() => T) => {
      let n = 0;
      return () => all[Math.min(n++, all.length - 1)] as T;
    };
    const [nextList, nextAnswer] = [next(lists), next(answers)];
    const client = {
      ...{ scope: [null], disconnects: 0, waitWithin: (ms: number) => ms },
      connect: {
        intentions: async () => ({ body: [], index: String(lists.length) }),
        intentionsFor: async () => nextList(),
        authorize: async () => nextAnswer(),
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

  it('are not known while the agent only tells of an intention that is gone', async () => {
    const matched = { Authorized: true, Reason: 'Matched L4 intention: ALLOW *' };
    expect((await thrownBy(rulesOf([[]], [matched]))).message).toMatch(/does not tell what it decides/);
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
