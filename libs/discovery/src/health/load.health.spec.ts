import { describe, expect, it } from '@jest/globals';
import { judgeLoad } from './load.health.js';

describe('judgeLoad', () => {
  const limits = { eventLoopLagMs: 200, heapUsed: 0.9 };

  it('is up below its limits, and tells what it measured', () => {
    expect(judgeLoad({ lagMs: 12.4, heapUsed: 0.5 }, limits)).toEqual({
      load: { status: 'up', eventLoopLag: 12, heapUsed: 0.5 },
    });
  });

  it('is degraded above either, and says which', () => {
    expect(judgeLoad({ lagMs: 300, heapUsed: 0.5 }, limits)).toMatchObject({
      load: { status: 'degraded', message: 'the event loop lags 300 ms, more than 200 ms' },
    });
    expect(judgeLoad({ lagMs: 0, heapUsed: 0.95 }, limits)).toMatchObject({
      load: { status: 'degraded', message: '95 % of the heap is in use' },
    });
    expect(
      judgeLoad({ lagMs: 9_000, heapUsed: 1 }, { eventLoopLagMs: undefined, heapUsed: undefined }),
    ).toMatchObject({ load: { status: 'up' } });
  });
});
