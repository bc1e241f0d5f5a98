import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, RecordingLogger, settle } from '@rookery/test-support';
import type { RequestTracker } from './request-tracker.js';
import { runShutdown, type ShutdownBudget } from './shutdown-sequence.js';

const BUDGET: ShutdownBudget = {
  drainMs: 10_000,
  inFlightMs: 30_000,
  totalMs: 45_000,
  releasePortFirst: false,
};

describe('runShutdown', () => {
  let clock: FakeClock;
  let logger: RecordingLogger;
  let steps: string[];
  let inFlight: number;
  let quiet: Promise<void>;
  let idle: Promise<void>;
  let end: () => void;
  beforeEach(() => {
    clock = new FakeClock();
    logger = new RecordingLogger();
    steps = [];
    inFlight = 0;
    quiet = Promise.resolve();
    idle = new Promise((resolve) => (end = resolve));
  });

  const requests = (): RequestTracker =>
    ({
      drain: () => steps.push('close connections'),
      untilQuiet: () => {
        steps.push('wait for callers');
        return quiet;
      },
      stopListening: () => steps.push('stop listening'),
      destroyConnections: () => steps.push('end connections'),
      closeRemaining: (withinMs: number) => steps.push(`close the rest within ${withinMs}`),
      get inFlight() {
        return inFlight;
      },
      untilIdle: () => {
        steps.push('wait for requests');
        return idle;
      },
    }) as unknown as RequestTracker;
  const leave = (budget: Partial<ShutdownBudget> = {}, isKnown = true): Promise<string> =>
    runShutdown(
      {
        deregister: async () => {
          steps.push('deregister');
        },
        markNotReady: () => steps.push('refuse'),
        requests: requests(),
        isKnown,
      },
      { ...BUDGET, ...budget },
      clock,
      logger,
    ).then(() => 'left');

  it('F13 takes the steps in order', async () => {
    inFlight = 3;
    const leaving = leave();
    await settle();
    end();
    expect(await leaving).toBe('left');
    expect(steps).toEqual([
      'deregister',
      'refuse',
      'close connections',
      'wait for callers',
      'stop listening',
      'wait for requests',
      'close the rest within 30000',
    ]);
    expect(logger.matching(/log draining: waiting until no more requests arrive/)).toHaveLength(1);
    expect(logger.matching(/log waiting up to 30000 ms for requests in flight: 3/)).toHaveLength(1);
  });

  it('waits for no request where there is none, and gives what is left open the time that is left', async () => {
    quiet = new Promise(() => undefined);
    const leaving = leave({ totalMs: 15_000 });
    await clock.advance(10_000);
    expect(await leaving).toBe('left');
    expect(steps.slice(-2)).toEqual(['stop listening', 'close the rest within 5000']);
    expect(logger.matching(/in flight/)).toHaveLength(0);
  });

  it('stops listening first where the next process needs the port', async () => {
    expect(await leave({ releasePortFirst: true })).toBe('left');
    expect(steps.slice(0, 3)).toEqual(['stop listening', 'deregister', 'refuse']);
    expect(logger.matching(/log shutting down quickly/)).toHaveLength(1);
  });

  it('waits two seconds at most for callers when it does not see their requests', async () => {
    const leaveUntracked = (drainMs: number): Promise<string> =>
      runShutdown(
        {
          deregister: async () => undefined,
          markNotReady: () => undefined,
          requests: undefined,
          isKnown: true,
        },
        { ...BUDGET, drainMs },
        clock,
        logger,
      ).then(() => 'left');
    for (const [drainMs, waitedMs] of [
      [10_000, 2_000],
      [500, 500],
    ] as const) {
      const leaving = leaveUntracked(drainMs);
      await settle();
      expect(clock.next).toBe(waitedMs);
      await clock.advance(waitedMs);
      expect(await leaving).toBe('left');
    }
    expect(logger.matching(/warn/)).toHaveLength(0);
  });

  it('does not wait for callers if it was never registered, or drainTimeout is 0', async () => {
    expect(await leave({}, false)).toBe('left');
    expect(await leave({ drainMs: 0 })).toBe('left');
    expect(steps).not.toContain('wait for callers');
    expect(logger.lines).toEqual([]);
  });

  it('waits for callers that do not stop until its limit, and logs it', async () => {
    quiet = new Promise(() => undefined);
    const leaving = leave();
    await clock.advance(9_999);
    expect(steps).not.toContain('stop listening');
    await clock.advance(1);
    expect(await leaving).toBe('left');
    expect(logger.matching(/requests still arrive 10000 ms after deregistration/)).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('waits for requests that do not end until its limit, and logs how many', async () => {
    inFlight = 2;
    const leaving = leave();
    await clock.advance(30_000);
    expect(await leaving).toBe('left');
    expect(logger.matching(/2 requests still in flight after 30000 ms/)).toHaveLength(1);
    expect(steps.slice(-2)).toEqual(['end connections', 'close the rest within 15000']);
  });

  it('keeps to its total timeout, whatever each step may take', async () => {
    quiet = new Promise(() => undefined);
    inFlight = 2;
    const leaving = leave({ totalMs: 15_000 });
    await clock.advance(15_000);
    expect(await leaving).toBe('left');
    expect(logger.matching(/still in flight after 5000 ms/)).toHaveLength(1);
  });
});
