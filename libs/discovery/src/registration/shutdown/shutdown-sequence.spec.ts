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
      closeRemaining: () => undefined,
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
    ]);
  });

  it('does not wait for callers if it was never registered, or drainTimeout is 0', async () => {
    expect(await leave({}, false)).toBe('left');
    expect(await leave({ drainMs: 0 })).toBe('left');
    expect(steps).not.toContain('wait for callers');
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
    expect(steps.at(-1)).toBe('end connections');
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
