import { describe, expect, it } from '@jest/globals';
import { ReportedLoad } from './reported-load.js';

describe('ReportedLoad', () => {
  it('is relative to what the reports of the target say on average', () => {
    const load = new ReportedLoad();
    expect(load.isKnown).toBe(false);
    expect(load.queuePercent).toBe(100);
    load.observe(0, 9, 1);
    expect(load.isKnown).toBe(true);
    expect(load.queuePercent).toBe(100);
    // The average is 11 by now: 30 for 12.
    load.observe(0, 29, 1);
    expect(load.averageInFlight).toBeCloseTo(11);
    expect(load.queuePercent).toBe(250);
    load.observe(0, 0, 1);
    expect(load.queuePercent).toBe(25);
    load.observe(0, 1e6, 1);
    expect(load.queuePercent).toBe(400);
  });

  it('fades to what is usual, and is worth nothing after five seconds', () => {
    const load = new ReportedLoad();
    load.observe(0, 9, 0);
    load.observe(100, 29, 0);
    load.fade();
    expect(load.queuePercent).toBe(175);
    for (let n = 0; n < 7; n++) load.fade();
    expect(load.queuePercent).toBe(100);
    load.observe(100, 0, 0);
    expect(load.queuePercent).toBe(25);
    for (let n = 0; n < 7; n++) load.fade();
    expect(load.queuePercent).toBe(100);
    load.expire(5_099);
    expect(load.isKnown).toBe(true);
    load.expire(5_100);
    expect(load.isKnown).toBe(false);
    // What was usual before is forgotten.
    load.observe(6_000, 3, 0);
    expect(load.averageInFlight).toBe(3);
  });

  it('says nothing of a server that says always the same', () => {
    const load = new ReportedLoad();
    for (let n = 0; n < 10; n++) load.observe(n, 0, 0);
    expect(load.queuePercent).toBe(100);
  });

  it('is compared with no other while it says the same for long', () => {
    const load = new ReportedLoad();
    expect(load.isTelling).toBe(false);
    for (let n = 0; n < 20; n++) load.observe(n, 5, 0);
    expect(load.isTelling).toBe(true);
    load.observe(20, 5, 0);
    expect(load.isTelling).toBe(false);
    load.observe(21, 6, 0);
    expect(load.isTelling).toBe(true);
  });

  it('is asked for fifty times a second at most', () => {
    const load = new ReportedLoad();
    expect([0, 1, 19, 20, 39, 41].map((now) => load.mayAsk(now))).toEqual([
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  it('counts against a target that fails, until a call succeeds', () => {
    const load = new ReportedLoad();
    load.observe(0, 5, 0);
    load.failed();
    expect(load.isKnown).toBe(false);
    load.fade();
    load.expire(1e6);
    expect(load.queuePercent).toBe(400);
    load.succeeded();
    expect(load.queuePercent).toBe(100);
    load.observe(0, 5, 0);
    load.observe(0, 50, 0);
    const { queuePercent } = load;
    load.succeeded();
    expect(load.queuePercent).toBe(queuePercent);
  });

  it('knows the calls that this app has made since then', () => {
    const load = new ReportedLoad();
    load.observe(0, 5, 2);
    expect(load.nowInFlight(4)).toBe(7);
    expect(load.nowInFlight(0)).toBe(5);
  });
});
