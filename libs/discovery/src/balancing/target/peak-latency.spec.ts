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
});
