import { describe, expect, it } from '@jest/globals';
import { LoadHealth, toHealthResult } from './load.health.js';

describe('toHealthResult', () => {
  const limits = { eventLoopLagMs: 200, heapUsed: 0.9 };

  it('is up below its limits, and reports what it measured', () => {
    expect(toHealthResult({ lagMs: 12.4, heapUsed: 0.5 }, limits)).toEqual({
      load: { status: 'up', eventLoopLagMs: 12, heapUsed: 0.5 },
    });
  });

  it('is degraded above either limit, and says which', () => {
    expect(toHealthResult({ lagMs: 300, heapUsed: 0.5 }, limits)).toMatchObject({
      load: { status: 'degraded', message: 'event loop delay of 300 ms, more than 200 ms' },
    });
    expect(toHealthResult({ lagMs: 0, heapUsed: 0.95 }, limits)).toMatchObject({
      load: { status: 'degraded', message: '95 % of the heap in use' },
    });
    expect(
      toHealthResult({ lagMs: 9_000, heapUsed: 1 }, { eventLoopLagMs: undefined, heapUsed: undefined }),
    ).toMatchObject({ load: { status: 'up' } });
  });

  it('is up at its limits', () => {
    expect(toHealthResult({ lagMs: 200, heapUsed: 0.9 }, limits).load?.status).toBe('up');
  });

  it('reports what it measured when it is degraded, too', () => {
    expect(toHealthResult({ lagMs: 300, heapUsed: 0.95 }, limits)).toEqual({
      load: {
        status: 'degraded',
        message: 'event loop delay of 300 ms, more than 200 ms, 95 % of the heap in use',
        ...{ eventLoopLagMs: 300, heapUsed: 0.95 },
      },
    });
  });
});

describe('LoadHealth', () => {
  it('measures this process, for readiness', () => {
    const health = new LoadHealth({ eventLoopLagMs: undefined, heapUsed: 0.000_001 });
    expect(health.groups).toEqual(['readiness']);
    const { load } = health.run();
    health.close();
    expect(load?.status).toBe('degraded');
    expect(load?.eventLoopLagMs).toBeGreaterThanOrEqual(0);
    // A share of what there may be.
    expect(load?.heapUsed).toBeGreaterThan(0);
    expect(load?.heapUsed).toBeLessThan(1);
  });
});
