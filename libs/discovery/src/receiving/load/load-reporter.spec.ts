import { afterEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { loadReportText } from './load-report.js';
import { LoadReporter } from './load-reporter.js';

describe('LoadReporter', () => {
  const made: LoadReporter[] = [];
  afterEach(() => {
    for (const reporter of made.splice(0)) reporter.close();
  });
  const start = (cpus = 2): { clock: FakeClock; load: LoadReporter } => {
    const clock = new FakeClock();
    const load = new LoadReporter({ clock, cpus });
    made.push(load);
    return { clock, load };
  };

  it('counts what is under way now, and the calls and failures of the time since the last sample', async () => {
    const { clock, load } = start();
    load.begin();
    load.end(false);
    expect(load.report()).toMatchObject({ callsPerSecond: 0, named: { in_flight: 0 } });
    for (let n = 0; n < 12; n++) load.begin();
    for (let n = 0; n < 10; n++) load.end(n < 3);
    expect(load.report()).toMatchObject({ callsPerSecond: 0, named: { in_flight: 2 } });
    await clock.advance(500);
    expect(load.report()).toMatchObject({ callsPerSecond: 20, failuresPerSecond: 6 });
    await clock.advance(500);
    expect(load.report()).toMatchObject({ callsPerSecond: 0, failuresPerSecond: 0, named: { in_flight: 2 } });
  });

  it('is sampled: reports within a quarter of a second have the same shares', async () => {
    const { clock, load } = start();
    const first = load.report();
    const until = Date.now() + 30;
    while (Date.now() < until);
    await clock.advance(200);
    expect(load.report().cpuUtilization).toBe(first.cpuUtilization);
    await clock.advance(100);
    const { cpuUtilization } = load.report();
    expect(cpuUtilization).toBeGreaterThan(first.cpuUtilization);
    expect(cpuUtilization).toBeLessThanOrEqual(1);
  });

  it('has metrics of the application, bounded in number and without what is no number', () => {
    const { load } = start();
    load.metric('render_queue', () => 7);
    load.metric('broken', () => NaN);
    load.metric('absent', () => {
      throw new Error('there is no pool yet');
    });
    const { named } = load.report();
    expect(named).toMatchObject({ render_queue: 7 });
    expect(named).not.toHaveProperty('broken');
    expect(named).not.toHaveProperty('absent');
    expect(load.header()).not.toContain('absent');
    for (let n = 0; n < 13; n++) load.metric(`metric_${n}`, () => n);
    expect(() => load.metric('one_more', () => 1)).toThrow('one metric more than 16');
    expect(() => load.metric('Bad name', () => 1)).toThrow(/"Bad name" is not the name of a metric/);
    expect(() => load.metric('render_queue', () => 8)).not.toThrow();
  });
});

it('loadReportText writes the format of ORCA', () => {
  const report = {
    ...{ cpuUtilization: 0.123456, applicationUtilization: 0.5, callsPerSecond: 12, failuresPerSecond: 0 },
    named: { in_flight: 3, render_queue: 7 },
  };
  expect(loadReportText(report)).toBe(
    'TEXT cpu_utilization=0.123, application_utilization=0.5, rps_fractional=12, eps=0, named_metrics.in_flight=3, named_metrics.render_queue=7',
  );
});
