import { describe, expect, it } from '@jest/globals';
import { stallReport } from './stall-report.js';

describe('F16 maxStall', () => {
  const well = { status: 'passing', output: 'all is well' } as const;
  const silence = (silentMs: number) => ({ silentMs, expectedMs: 1_000, maxStallMs: 60_000 });

  it('repeats what the app reported last, also when that is a little late', () => {
    expect(stallReport(well, silence(0))).toBe(well);
    expect(stallReport(well, silence(3_000))).toBe(well);
  });

  it('reports warning, and for how long, while the event loop is blocked', () => {
    expect(stallReport(well, silence(40_000))).toEqual({
      status: 'warning',
      output: 'event loop blocked for 40 s; last report: all is well',
    });
  });

  it('never improves the last status', () => {
    const down = { status: 'critical', output: 'database is down' } as const;
    expect(stallReport(down, silence(40_000))?.status).toBe('critical');
  });

  it('stops the heartbeat after maxStall', () => {
    expect(stallReport(well, silence(60_001))).toBeUndefined();
  });
});
