import { describe, expect, it } from '@jest/globals';
import { PeakLatency } from './peak-latency.js';

const times = (count: number, sample: number): number[] => Array.from({ length: count }, () => sample);
const STEADY = times(110, 2);
const INTERVAL_MS = 10;

/** Samples each 10 ms. */
class Sampled {
  readonly latency = new PeakLatency();
  now = 0;

  constructor(...samples: readonly number[]) {
    this.observe(...samples);
  }

  observe(...samples: readonly number[]): this {
    for (const sample of samples) this.latency.observe((this.now += INTERVAL_MS), sample);
    return this;
  }

  /** As the pool does once a second. */
  pass(milliseconds: number): this {
    for (let passed = 0; passed < milliseconds; passed += 1_000)
      this.latency.decay((this.now += 1_000), 1_000);
    return this;
  }

  get valueMs(): number {
    return this.latency.valueMs;
  }
}

describe('PeakLatency', () => {
  it('follows a slow response at once, and fast ones gradually', () => {
    const few = times(5, 2);
    expect(new Sampled(...few, 60).valueMs).toBe(60);
    const after = new Sampled(...few, 60, ...times(10, 2)).valueMs;
    expect(after).toBeLessThan(60);
    expect(after).toBeGreaterThan(55);
  });

  it('forgets a single slow response among many when three later calls are not slow', () => {
    const sampled = new Sampled(...STEADY, 60);
    expect(sampled.valueMs).toBe(60);
    // Under way when the slow one ended: the next six began before that.
    expect(sampled.observe(...times(6, 60.5)).valueMs).toBeGreaterThan(60);
    expect(sampled.observe(2, 2).valueMs).toBeGreaterThan(55);
    expect(sampled.observe(3).valueMs).toBeLessThan(4);
  });

  it('believes a slow response that a later call confirms', () => {
    const sampled = new Sampled(...STEADY, 60).observe(...times(6, 60)).observe(60, ...times(10, 2));
    expect(sampled.valueMs).toBeGreaterThan(55);
  });

  it('believes slow responses that come again and again', () => {
    const often = [60, ...times(30, 2)];
    expect(new Sampled(...STEADY, ...often, ...often).valueMs).toBeGreaterThan(40);
  });

  it('tries a target again a second after a single slow response, and then believes it', () => {
    const sampled = new Sampled(...STEADY, 60).pass(1_000);
    expect(sampled.valueMs).toBeGreaterThan(55);
    expect(sampled.pass(1_000).valueMs).toBeLessThan(3);
    expect(sampled.observe(60).pass(3_000).valueMs).toBeGreaterThan(40);
  });

  it('believes a failure at once', () => {
    const sampled = new Sampled(...STEADY);
    sampled.latency.penalize(sampled.now, 1_000);
    expect(sampled.observe(...times(20, 2)).valueMs).toBeGreaterThan(900);
    expect(sampled.pass(2_000).valueMs).toBeGreaterThan(700);
  });

  it('forgets the connection that its first call waited for', () => {
    expect(new Sampled(40, 2, 2).valueMs).toBeGreaterThan(35);
    expect(new Sampled(40, 2, 2, 2).valueMs).toBeLessThan(3);
  });

  it('forgets a slow response after five seconds, however few calls there are', () => {
    const sampled = new Sampled(...times(5, 2), 60, 2, 2);
    for (let n = 0; n < 4; n++) sampled.observe(2).pass(1_000);
    expect(sampled.valueMs).toBeGreaterThan(30);
    for (let n = 0; n < 2; n++) sampled.observe(2).pass(1_000);
    expect(sampled.valueMs).toBeLessThan(20);
  });

  it('is an average that is weighted by the time since the sample before', () => {
    const { latency } = new Sampled(100);
    latency.observe(1_010, 50);
    const old = Math.exp(-0.1);
    expect(latency.valueMs).toBeCloseTo(100 * old + 50 * (1 - old), 9);
    expect(latency.sampledAt).toBe(1_010);
  });

  it('is known after a sample of no time at all', () => {
    expect(new Sampled(0).valueMs).toBe(0.001);
    expect(new Sampled(0).pass(60_000).valueMs).toBe(0.001);
  });

  it('fades without calls, to a third in ten seconds', () => {
    const { latency } = new Sampled(...times(4, 100));
    for (let second = 1; second <= 10; second++) latency.decay(40 + second * 1_000, 1_000);
    expect(latency.valueMs).toBeCloseTo(100 * Math.exp(-0.9), 6);
    const unknown = new PeakLatency();
    unknown.decay(1_000, 1_000);
    expect(unknown.valueMs).toBe(0);
  });

  it('is at least what a call took that was cancelled', () => {
    const { latency } = new Sampled(20);
    latency.observeAtLeast(500, 20);
    expect([latency.valueMs, latency.sampledAt]).toEqual([20, 10]);
    latency.observeAtLeast(500, 21);
    expect([latency.valueMs, latency.sampledAt]).toEqual([21, 500]);
  });

  it('is stale five seconds after its last sample, and unknown once it is reset', () => {
    const { latency } = new Sampled(20);
    expect([latency.isStale(5_009), latency.isStale(5_010)]).toEqual([false, true]);
    latency.reset();
    expect(latency.valueMs).toBe(0);
    expect(latency.isStale(50_000)).toBe(false);
    expect(new PeakLatency().isStale(50_000)).toBe(false);
  });

  it('becomes the average of recent calls when none has come near to it for five seconds', () => {
    const latency = new PeakLatency();
    latency.penalize(0, 1_000);
    for (let n = 0; n < 4; n++) latency.observe(4_000 + n, 100);
    const recent = 100 + 900 * 0.8 ** 4;
    latency.decay(4_999, 1_000);
    expect(latency.valueMs).toBeGreaterThan(recent + 10);
    latency.observe(4_999, 100);
    latency.decay(5_000, 1_000);
    expect(latency.valueMs).toBeCloseTo(100 + 900 * 0.8 ** 5, 6);
  });

  it('is confirmed by a sample of half of it', () => {
    const half = new PeakLatency();
    half.penalize(0, 1_000);
    half.observe(10, 500);
    half.penalize(20, 1_000);
    half.observe(4_990, 600);
    const before = half.valueMs;
    half.decay(5_020, 1_000);
    expect(half.valueMs).toBe(before);
  });

  it('doubts an outlier after a hundred steady samples, and not after fewer', () => {
    const after = (steady: number): number =>
      new Sampled(...times(3 + steady, 2), 60).observe(...times(6, 61), 2, 2, 3).valueMs;
    // The first three end the doubt of the first sample.
    expect(after(96)).toBeGreaterThan(40);
    expect(after(98)).toBeLessThan(4);
  });

  it('is the slowest of those that refuted an outlier', () => {
    const sampled = new Sampled(...STEADY, 60).observe(...times(6, 61));
    expect(sampled.observe(9, 3, 4).valueMs).toBeCloseTo(9, 1);
    const lower = new Sampled(...times(110, 12), 60).observe(...times(6, 61));
    expect(lower.observe(9, 3, 4).valueMs).toBeCloseTo(12, 0);
  });

  it('has no doubt left after a failure', () => {
    const sampled = new Sampled(...STEADY, 60);
    sampled.latency.penalize(sampled.now, 900);
    sampled.observe(...times(3, 2), 60);
    expect(sampled.observe(...times(8, 2)).valueMs).toBeGreaterThan(700);
  });
});
