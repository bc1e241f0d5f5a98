import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '@rookery/test-support';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { HealthReport } from './health-report.js';
import { runHeartbeats } from './heartbeat-loop.js';
import type { FromHeartbeatWorker, ToHeartbeatWorker } from './heartbeat-messages.js';

const UP: HealthReport = { status: 'passing', output: 'all is well' };

describe('the heartbeats of a worker thread', () => {
  let clock: FakeClock;
  let told: FromHeartbeatWorker[];
  let reports: unknown[];
  let tokens: (string | undefined)[];
  let isClosed: boolean;
  let isReporterClosed: boolean;
  let failure: Error | undefined;
  let busy: Promise<void> | undefined;
  let say: (message: ToHeartbeatWorker) => void;
  let ended: Promise<void>;

  beforeEach(() => {
    clock = new FakeClock();
    told = [];
    reports = [];
    tokens = [];
    isClosed = isReporterClosed = false;
    failure = undefined;
    busy = undefined;
  });

  const start = async (
    changes: { intervalMs?: number; checkIds?: readonly string[] } = {},
  ): Promise<void> => {
    ended = runHeartbeats(
      {
        on: (_event, listener) => (say = listener),
        postMessage: (message) => told.push(message),
        close: () => (isClosed = true),
      },
      {
        checkIds: ['a:ttl'],
        intervalMs: 12_000,
        expectedMs: 1_000,
        maxStallMs: 60_000,
        firstReport: UP,
        token: 'first',
        ...changes,
      },
      {
        report: async (...report) => {
          reports.push(report);
          await busy;
          if (failure) throw failure;
        },
        setToken: (token) => tokens.push(token),
        close: async () => {
          isReporterClosed = true;
        },
      },
      clock,
    );
    await settle();
  };
  const alive = (report = UP, token: string | undefined = 'first'): void =>
    say({ type: 'alive', report, token });
  /** Time in which the main thread runs. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      await clock.advance(Math.min(1_000, ms - passed));
      alive();
    }
    await settle();
  };

  it('come at once, and then in each interval, to every check', async () => {
    await start({ checkIds: ['a:ttl', 'b:ttl'] });
    const both = [
      ['a:ttl', 'passing', 'all is well', 3_000],
      ['b:ttl', 'passing', 'all is well', 3_000],
    ];
    expect([reports, tokens]).toEqual([both, ['first']]);
    await pass(11_000);
    expect(reports).toEqual(both);
    await pass(1_000);
    expect(reports).toEqual([...both, ...both]);
    expect(told).toEqual([]);
  });

  it('may take no longer than an interval', async () => {
    await start({ intervalMs: 2_000 });
    expect(reports).toEqual([['a:ttl', 'passing', 'all is well', 2_000]]);
  });

  it('tell of a change of the status at once, and of another output with the next one', async () => {
    await start();
    alive({ status: 'passing', output: 'all 3 are up' });
    await settle();
    expect(reports).toHaveLength(1);
    alive({ status: 'warning', output: 'cache is slow' }, 'second');
    await settle();
    expect(reports.slice(1)).toEqual([['a:ttl', 'warning', 'cache is slow', 3_000]]);
    expect(tokens.at(-1)).toBe('second');
    expect(clock.pending).toBe(1);
  });

  it('tell at once of a change that came while one of them was sent', async () => {
    let sent: () => void = () => undefined;
    busy = new Promise((resolve) => (sent = resolve));
    await start();
    alive({ status: 'warning', output: 'cache is slow' });
    sent();
    await settle();
    expect(reports.map((report) => (report as unknown[])[1])).toEqual(['passing', 'warning']);
    expect(clock.pending).toBe(1);
  });

  it('say that the main thread is blocked, and at once that it is no longer', async () => {
    await start();
    await clock.advance(12_000);
    expect(reports.at(-1)).toEqual(['a:ttl', 'warning', expect.stringMatching(/blocked for 12 s/), 3_000]);
    const before = reports.length;
    alive();
    await settle();
    expect(reports.slice(before)).toEqual([['a:ttl', 'passing', 'all is well', 3_000]]);
  });

  it('end when it has been blocked for too long, and come back with it', async () => {
    await start();
    await clock.advance(60_000);
    const before = reports.length;
    await clock.advance(60_000);
    expect(reports).toHaveLength(before);
    alive();
    await settle();
    expect(reports).toHaveLength(before + 1);
  });

  it('are tried again within a second when they fail; two in a row are told once, and their recovery', async () => {
    await start();
    failure = new Error('no response');
    await pass(12_000);
    expect([reports.length, told]).toEqual([2, []]);
    await pass(1_000);
    expect([reports.length, told]).toEqual([3, [{ type: 'failing', reason: 'no response' }]]);
    await pass(2_000);
    expect(told).toHaveLength(1);
    failure = undefined;
    await pass(1_000);
    expect(told.slice(1)).toEqual([{ type: 'recovered' }, { type: 'failing', reason: undefined }]);
    await pass(11_000);
    expect(told).toHaveLength(3);
  });

  it('that fail once are only told to have recovered', async () => {
    await start();
    failure = new Error('no response');
    await pass(12_000);
    failure = undefined;
    await pass(1_000);
    expect(told).toEqual([{ type: 'recovered' }]);
  });

  it('are tried again after no more than an interval', async () => {
    failure = new Error('no response');
    await start({ intervalMs: 500 });
    await clock.advance(500);
    expect(reports).toHaveLength(2);
  });

  it.each([
    ['RK_NOT_FOUND', { type: 'lost' }],
    ['RK_ACL_DENIED', { type: 'refused', reason: expect.stringContaining('so it is') }],
  ] as const)('tell of %s', async (code, message) => {
    failure = new DiscoveryError(code, 'so it is', {});
    await start();
    expect(told).toEqual([message]);
  });

  it('stop when they are told to, also during one', async () => {
    await start();
    say({ type: 'stop' });
    await ended;
    expect([told, isClosed, isReporterClosed, clock.pending]).toEqual([[{ type: 'stopped' }], true, true, 0]);
    await start();
    failure = undefined;
    const { length } = reports;
    await clock.advance(11_999);
    let wasTold = false;
    const telling = Promise.resolve().then(() => {
      wasTold = true;
      say({ type: 'stop' });
    });
    await clock.advance(1);
    await telling;
    await ended;
    expect([wasTold, reports.length - length <= 1, clock.pending]).toEqual([true, true, 0]);
  });
});
