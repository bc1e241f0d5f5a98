import { describe, expect, it } from '@jest/globals';
import { believableInFlight, reportedInFlight } from './reported-in-flight.js';

describe('reportedInFlight', () => {
  it.each([
    ['TEXT named_metrics.in_flight=12', 12],
    ['TEXT cpu_utilization=0.3, named_metrics.in_flight=3', 3],
    ['TEXT named_metrics.in_flight=3, cpu_utilization=0.3', 3],
    ['TEXT cpu_utilization=0.3,named_metrics.in_flight=2.6,eps=0', 3],
    ['TEXT named_metrics.in_flight=0', 0],
    ['TEXT cpu_utilization=0.3, named_metrics.in_flight=12', 12],
    ['TEXT cpu_utilization=0.3,named_metrics.in_flight=12,rps=4', 12],
    ['TEXT named_metrics.in_flight= 3.6 , rps=4', 4],
    ['TEXT named_metrics.in_flight=1000000', 1_000_000],
  ])('reads %s', (header, inFlight) => {
    expect(reportedInFlight(header)).toBe(inFlight);
  });

  it.each([
    ['another format', 'JSON {"named_metrics.in_flight=3":1}'],
    ['no format', 'named_metrics.in_flight=3'],
    ['nothing', ''],
    ['no calls under way', 'TEXT cpu_utilization=0.3'],
    ['another name', 'TEXT x_named_metrics.in_flight=3'],
    ['what is no number', 'TEXT named_metrics.in_flight=many'],
    ['an empty value', 'TEXT named_metrics.in_flight='],
    ['NaN', 'TEXT named_metrics.in_flight=NaN'],
    ['a negative value', 'TEXT named_metrics.in_flight=-3'],
    ['what cannot be true', 'TEXT named_metrics.in_flight=1e308'],
    ['10 kB', `TEXT named_metrics.in_flight=3, named_metrics.x=${'9'.repeat(10_000)}`],
  ])('does not believe %s', (_, header) => {
    expect(reportedInFlight(header)).toBeUndefined();
  });

  it.each([
    ...['', 'TEXT ', 'TEXT cpu_utilization=0.3', 'JSON {"named_metrics.in_flight":1}', 'BIN AAAA'],
    ...['named_metrics.in_flight=12', 'TEXT unnamed_metrics.in_flight=12', 'TEXT named_metrics.in_flight='],
    ...['TEXT named_metrics.in_flight=, rps=1', 'TEXT named_metrics.in_flight=many'],
    ...['TEXT named_metrics.in_flight=-1', 'TEXT named_metrics.in_flight=1000001'],
  ])('does not believe "%s"', (header) => {
    expect(reportedInFlight(header)).toBeUndefined();
  });

  it('reads no header that is longer than 2,000 characters', () => {
    const header = 'TEXT named_metrics.in_flight=5'.padEnd(2_000);
    expect([reportedInFlight(header), reportedInFlight(`${header} `)]).toEqual([5, undefined]);
  });

  it('believes no number that is missing, below 0 or above a million', () => {
    expect([undefined, NaN, -0.1, 1_000_001, Infinity].map((each) => believableInFlight(each))).toEqual(
      Array(5).fill(undefined),
    );
    expect([0, 1.4, 1_000_000].map((each) => believableInFlight(each))).toEqual([0, 1, 1_000_000]);
  });
});
