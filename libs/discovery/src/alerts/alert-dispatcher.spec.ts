import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import type { Alert } from './alert.js';
import { AlertDispatcher } from './alert-dispatcher.js';
import type { AlertClaim, AlertClaims, AlertSink } from './alert-sink.js';

const firing: Alert = {
  name: 'Test',
  severity: 'warning',
  labels: {},
  summary: 's',
  fingerprint: 'f',
  startsAt: 0,
  endsAt: undefined,
};
const resolved: Alert = { ...firing, endsAt: 1 };

class Claims implements AlertClaims {
  readonly holders = new Map<string, AbortController>();
  fails = false;

  async claim(fingerprint: string): Promise<AlertClaim | undefined> {
    if (this.fails) throw new Error('no leader');
    if (this.holders.has(fingerprint)) return undefined;
    const ending = new AbortController();
    this.holders.set(fingerprint, ending);
    return { signal: ending.signal, release: async () => void this.holders.delete(fingerprint) };
  }
}

describe('AlertDispatcher', () => {
  let clock: FakeClock;
  let claims: Claims;
  let messages: string[];
  let warnings: string[];

  beforeEach(() => {
    clock = new FakeClock();
    claims = new Claims();
    messages = [];
    warnings = [];
  });

  const replica = (
    name: string,
    sink: Partial<AlertSink> = {},
    { app = 'shop', withClaims = true }: { app?: string | null; withClaims?: boolean } = {},
  ): AlertDispatcher =>
    new AlertDispatcher({
      clock,
      random: () => 1,
      emit: () => undefined,
      warn: (message) => warnings.push(message),
      groupWaitMs: 0,
      queue: 10,
      app: app ?? undefined,
      settleMs: 60_000,
      claims: withClaims ? claims : undefined,
      sinks: [
        {
          name: 'hook',
          deduplicates: false,
          repeatEveryMs: undefined,
          send: async (alerts) => {
            for (const { endsAt } of alerts)
              messages.push(`${name} ${endsAt === undefined ? 'firing' : 'resolved'}`);
          },
          ...sink,
        },
      ],
    });
  const tick = async (
    replicas: readonly AlertDispatcher[],
    changes: readonly Alert[],
    all: readonly Alert[],
  ) => {
    for (const each of replicas) each.dispatch(changes, all);
    await clock.advance(5_000);
    await settle();
  };

  it('of five replicas one tells, and tells when it is resolved', async () => {
    const replicas = ['a', 'b', 'c', 'd', 'e'].map((name) => replica(name));
    await tick(replicas, [firing], [firing]);
    for (let n = 0; n < 10; n++) await tick(replicas, [], [firing]);
    expect(messages).toEqual(['a firing']);
    await tick(replicas, [resolved], []);
    // The others resolve it a little later, and are not to tell of it meanwhile.
    const others = replicas.slice(1);
    for (let n = 0; n < 4; n++) await tick(others, [], [firing]);
    expect(messages).toEqual(['a firing', 'a resolved']);
    await tick(others, [resolved], []);
    await clock.advance(60_000);
    expect(messages).toEqual(['a firing', 'a resolved']);
    expect(claims.holders.size).toBe(0);
  });

  it('another replica tells when the one that did is gone', async () => {
    const [first, second] = [replica('a'), replica('b')];
    await tick([first, second], [firing], [firing]);
    claims.holders.clear();
    for (let n = 0; n < 4; n++) await tick([second], [], [firing]);
    expect(messages).toEqual(['a firing', 'b firing']);
    await tick([second], [resolved], []);
    expect(messages.at(-1)).toBe('b resolved');
  });

  it('each replica tells where they cannot agree: five messages are better than none', async () => {
    claims.fails = true;
    const replicas = [replica('a'), replica('b'), replica('c', {}, { withClaims: false })];
    await tick(replicas, [firing], [firing]);
    await tick(replicas, [], [firing]);
    expect(messages.sort()).toEqual(['a firing', 'b firing', 'c firing']);
    expect(warnings.filter((line) => line.includes('cannot be agreed on'))).toHaveLength(2);
  });

  it('agrees with replicas of its own app only, and only with those that have the same sinks', async () => {
    const others = [
      replica('a'),
      replica('b', { name: 'other hook' }),
      replica('c', { id: 'another channel' }),
      replica('d', {}, { app: 'books' }),
    ];
    await tick(others, [firing], [firing]);
    expect(messages.sort()).toEqual(['a firing', 'b firing', 'c firing', 'd firing']);
  });

  it('agrees with none where it has no name by which others would be its replicas', async () => {
    const nameless = [replica('a', {}, { app: null }), replica('b', {}, { app: null })];
    await tick(nameless, [firing], [firing]);
    expect(messages.sort()).toEqual(['a firing', 'b firing']);
  });

  it('tells at once of an alert that fires again, while others still leave its end to this one', async () => {
    const [first, second] = [replica('a'), replica('b')];
    await tick([first, second], [firing], [firing]);
    await tick([first, second], [resolved], []);
    const again = { ...firing, startsAt: 2 };
    await tick([first, second], [again], [again]);
    expect(messages).toEqual(['a firing', 'a resolved', 'a firing']);
    await clock.advance(60_000);
    for (let n = 0; n < 4; n++) await tick([first, second], [], [again]);
    await tick([first, second], [{ ...again, endsAt: 3 }], []);
    await clock.advance(60_000);
    expect(messages).toEqual(['a firing', 'a resolved', 'a firing', 'a resolved']);
    expect([claims.holders.size, clock.pending]).toEqual([0, 0]);
  });

  it('does not tell of an alert that was resolved while it asked', async () => {
    let fail: (error: Error) => void = () => undefined;
    claims.claim = () => new Promise((_, reject) => (fail = reject));
    const one = replica('a');
    await tick([one], [firing], [firing]);
    await tick([one], [resolved], []);
    fail(new Error('no leader'));
    await settle();
    expect(messages).toEqual([]);
  });

  it('leaves an alert to another replica when it cannot reach its sinks', async () => {
    const [first, second] = [
      replica('a', {
        send: async () => {
          throw new Error('no route');
        },
      }),
      replica('b'),
    ];
    await tick([first], [firing], [firing]);
    for (let n = 0; n < 40; n++) await tick([first, second], [], [firing]);
    expect(messages).toEqual(['b firing']);
  });

  it('repeats what fires, to the sinks that want it', async () => {
    const one = replica('a', { deduplicates: true, repeatEveryMs: 10_000 });
    await tick([one], [firing], [firing]);
    for (let n = 0; n < 4; n++) await tick([one], [], [firing]);
    expect(messages).toEqual(['a firing', 'a firing', 'a firing']);
  });

  it('releases its claims at the end, so that another replica goes on', async () => {
    const one = replica('a');
    await tick([one], [firing], [firing]);
    expect(claims.holders.size).toBe(1);
    await one.close(100);
    expect(claims.holders.size).toBe(0);
  });
});
