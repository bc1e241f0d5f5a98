import { describe, expect, it } from '@jest/globals';
import { believableInFlight, reportedInFlight } from './reported-in-flight.js';

describe('reportedInFlight', () => {
  it.each([
    ['TEXT named_metrics.in_flight=12', 12],
    ['TEXT named_metrics.in_flight=0', 0],
    ['TEXT cpu_utilization=0.3, named_metrics.in_flight=12', 12],
    ['TEXT cpu_utilization=0.3,named_metrics.in_flight=12,rps=4', 12],
    ['TEXT named_metrics.in_flight= 3.6 , rps=4', 4],
    ['TEXT named_metrics.in_flight=1000000', 1_000_000],
  ])('reads %s', (header, inFlight) => {
    expect(reportedInFlight(header)).toBe(inFlight);
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
