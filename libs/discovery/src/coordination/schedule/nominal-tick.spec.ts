import { describe, expect, it } from '@jest/globals';
import { CronTime } from 'cron';
import { nominalTick, ticksBetween, type NextTick } from './nominal-tick.js';

const schedule = (expression: string, zone = 'UTC'): NextTick => {
  const time = new CronTime(expression, zone);
  return (after) => time.getNextDateFrom(new Date(after), zone).toMillis();
};
const at = (iso: string): number => Date.parse(iso);
const tickAt = (expression: string, now: string, zone?: string): string | undefined => {
  const tick = nominalTick(at(now), schedule(expression, zone));
  return tick && new Date(tick.at).toISOString();
};

describe('nominalTick', () => {
  it.each([
    ['* * * * * *', '2026-11-26T12:00:00.004Z', '2026-11-26T12:00:00.000Z'],
    // A timer that is early by a moment, and one that is late.
    ['* * * * * *', '2026-11-26T11:59:59.998Z', '2026-11-26T12:00:00.000Z'],
    ['*/10 * * * * *', '2026-11-26T12:00:17.500Z', '2026-11-26T12:00:10.000Z'],
    ['0 3 * * *', '2026-11-26T03:00:00.010Z', '2026-11-26T03:00:00.000Z'],
    ['0 3 * * *', '2026-11-26T03:01:40.000Z', '2026-11-26T03:00:00.000Z'],
    // Monday, after a gap of three days.
    ['0 9 * * 1-5', '2026-11-30T09:00:00.001Z', '2026-11-30T09:00:00.000Z'],
    // Gaps of a minute and of a day.
    ['0,1 0 * * *', '2026-11-26T00:00:00.001Z', '2026-11-26T00:00:00.000Z'],
    ['0,1 0 * * *', '2026-11-26T00:01:00.001Z', '2026-11-26T00:01:00.000Z'],
    ['0 0 1 * *', '2026-12-01T00:00:00.001Z', '2026-12-01T00:00:00.000Z'],
  ])('%s at %s runs for %s', (expression, now, tick) => {
    expect(tickAt(expression, now)).toBe(tick);
  });

  it('is in the zone of the schedule, also when the clocks go back', () => {
    expect(tickAt('30 2 * * *', '2026-03-28T01:30:00.001Z', 'Europe/Berlin')).toBe(
      '2026-03-28T01:30:00.000Z',
    );
    expect(tickAt('0 3 * * *', '2026-10-25T02:00:00.001Z', 'Europe/Berlin')).toBe('2026-10-25T02:00:00.000Z');
  });

  it('is the same for every replica, whose clocks differ by less than the gap', () => {
    const ticks = [-40, 0, 3, 900, 20_000].map(
      (skew) => nominalTick(at('2026-11-26T12:00:00Z') + skew, schedule('* * * * *'))?.at,
    );
    expect(new Set(ticks).size).toBe(1);
  });

  it('has none when the schedule has no next one', () => {
    expect(nominalTick(0, () => undefined)).toBeUndefined();
  });
});

describe('ticksBetween', () => {
  it('counts those that were not run, without both ends', () => {
    const next = schedule('* * * * *');
    expect(ticksBetween(at('2026-11-26T12:00:00Z'), at('2026-11-26T12:01:00Z'), next)).toBe(0);
    expect(ticksBetween(at('2026-11-26T12:00:00Z'), at('2026-11-26T12:05:00Z'), next)).toBe(4);
    // However old the last one is.
    const minutely: NextTick = (after) => (Math.floor(after / 60_000) + 1) * 60_000;
    expect(ticksBetween(0, at('2026-11-26T12:05:00Z'), minutely)).toBe(10_000);
  });
});
