import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { ListedHealth, type FailingChecks } from './listed-health.js';

describe('ListedHealth', () => {
  let clock: FakeClock;
  let isHealthy: boolean;
  /** An error: the registry does not answer. */
  let failing: FailingChecks | Error | undefined;
  let told: string[];
  let looks: number[];
  let health: ListedHealth;

  beforeEach(() => {
    clock = new FakeClock();
    isHealthy = true;
    failing = { output: 'HTTP: refused', patienceMs: 20_000 };
    [told, looks] = [[], []];
    health = new ListedHealth({
      clock,
      firstLookMs: 20_000,
      isHealthy: async () => isHealthy,
      readFailing: async () => {
        looks.push(clock.now());
        if (failing instanceof Error) throw failing;
        return failing;
      },
      onFailing: (output) => told.push(output),
      onRecovered: () => told.push('recovered'),
    });
  });

  it('tells what fails once it has failed for long enough, and once, and that it has recovered', async () => {
    expect(health.status).toBeUndefined();
    health.listed('critical');
    await clock.advance(19_999);
    expect(looks).toEqual([]);
    health.listed('critical');
    await clock.advance(1);
    expect([looks, told]).toEqual([[20_000], ['HTTP: refused']]);
    health.listed('critical');
    await clock.advance(60_000);
    expect([looks.length, clock.pending]).toEqual([1, 0]);
    health.listed('passing');
    health.listed('passing');
    expect(told).toEqual(['HTTP: refused', 'recovered']);
    expect(health.status).toBe('passing');
    health.listed('critical');
    await clock.advance(20_000);
    expect(told).toEqual(['HTTP: refused', 'recovered', 'HTTP: refused']);
  });

  it('waits for the time that the failing check has', async () => {
    failing = { output: 'slow', patienceMs: 50_000 };
    await clock.advance(5_000);
    health.listed('critical');
    await clock.advance(49_999);
    expect([looks, told]).toEqual([[25_000], []]);
    await clock.advance(1);
    expect([looks, told]).toEqual([[25_000, 55_000], ['slow']]);
  });

  it('counts from when it became critical, which a warning ends and maintenance does not', async () => {
    failing = { output: 'slow', patienceMs: 30_000 };
    health.listed('critical');
    await clock.advance(15_000);
    health.listed('maintenance');
    expect(health.status).toBe('critical');
    health.listed('critical');
    await clock.advance(15_000);
    expect(told).toEqual(['slow']);
    health.listed('warning');
    health.listed('critical');
    await clock.advance(29_999);
    expect(told).toEqual(['slow', 'recovered']);
    await clock.advance(1);
    expect(told).toEqual(['slow', 'recovered', 'slow']);
  });

  it('tells nothing of checks that pass again before it looks, and leaves no timer', async () => {
    health.listed('critical');
    await clock.advance(10_000);
    health.listed('passing');
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    expect([looks, told]).toEqual([[], []]);
  });

  it('looks again while the app is unhealthy itself, while no check fails, and while the registry does not answer', async () => {
    isHealthy = false;
    health.listed('critical');
    await clock.advance(40_000);
    expect(looks).toEqual([]);
    isHealthy = true;
    failing = undefined;
    await clock.advance(20_000);
    failing = new Error('no answer');
    await clock.advance(20_000);
    expect([looks, told]).toEqual([[60_000, 80_000], []]);
    failing = { output: 'HTTP: refused', patienceMs: 20_000 };
    await clock.advance(20_000);
    expect(told).toEqual(['HTTP: refused']);
  });

  it('forgets all of it', async () => {
    health.listed('critical');
    await clock.advance(20_000);
    health.reset();
    expect(health.status).toBeUndefined();
    health.listed('passing');
    expect(told).toEqual(['HTTP: refused']);
    health.listed('critical');
    health.reset();
    expect(clock.pending).toBe(0);
  });

  it('ignores what it finds once the checks pass', async () => {
    let answer: (failing: FailingChecks) => void = () => undefined;
    const slow = new ListedHealth({
      clock,
      firstLookMs: 1_000,
      isHealthy: async () => true,
      readFailing: () => new Promise((resolve) => (answer = resolve)),
      onFailing: (output) => told.push(output),
      onRecovered: () => told.push('recovered'),
    });
    slow.listed('critical');
    await clock.advance(1_000);
    slow.listed('passing');
    answer({ output: 'late', patienceMs: 0 });
    await clock.advance(1_000);
    expect([told, clock.pending]).toEqual([[], 0]);
  });
});
