import { describe, expect, it } from '@jest/globals';
import { AlertTracker } from './alert-tracker.js';

const rule = { name: 'Test', severity: 'warning', forMs: 10_000, keepFiringForMs: 5_000 } as const;
const found = (service: string, summary = 'wrong') => ({ labels: { service }, summary });

describe('AlertTracker', () => {
  it('fires when a finding has lasted, with the time when it began, and resolves when it is gone for a while', () => {
    const tracker = new AlertTracker(rule);
    expect(tracker.update([found('a')], 0)).toEqual([]);
    expect(tracker.update([found('a')], 9_999)).toEqual([]);
    expect(tracker.firing).toEqual([]);
    const [fired] = tracker.update([found('a', 'worse')], 10_000);
    expect(fired).toMatchObject({ name: 'Test', severity: 'warning', summary: 'worse', startsAt: 0 });
    expect(fired?.endsAt).toBeUndefined();
    expect(tracker.update([found('a')], 12_000)).toEqual([]);
    expect(tracker.firing).toMatchObject([{ fingerprint: fired?.fingerprint }]);
    expect(tracker.update([], 16_999)).toEqual([]);
    expect(tracker.update([], 17_000)).toEqual([{ ...fired, summary: 'wrong', endsAt: 17_000 }]);
    expect(tracker.firing).toEqual([]);
  });

  it('begins anew when a finding is gone before it fires', () => {
    const tracker = new AlertTracker(rule);
    tracker.update([found('a')], 0);
    tracker.update([], 5_000);
    tracker.update([found('a')], 6_000);
    expect(tracker.update([found('a')], 15_999)).toEqual([]);
    expect(tracker.update([found('a')], 16_000)).toHaveLength(1);
  });

  it('is one alert where a finding comes and goes', () => {
    const tracker = new AlertTracker({ ...rule, forMs: 0 });
    const changes = Array.from({ length: 20 }, (_, n) =>
      tracker.update(n % 2 === 0 ? [found('a')] : [], n * 1_000),
    );
    expect(changes.flat()).toHaveLength(1);
  });

  it('tells alerts apart by their labels, whatever order those have, and not by their words', () => {
    const tracker = new AlertTracker({ ...rule, forMs: 0 });
    const of = (labels: Record<string, string>) => tracker.update([{ labels, summary: 's' }], 0).length;
    expect(of({ a: '1', b: '2' })).toBe(1);
    expect(of({ b: '2', a: '1' })).toBe(0);
    expect(of({ a: '1' })).toBe(1);
    const other = new AlertTracker({ ...rule, forMs: 0, severity: 'critical' });
    const fingerprints = [tracker, other].map((each) => each.update([found('z')], 1)[0]?.fingerprint);
    expect(new Set(fingerprints).size).toBe(2);
  });
});
