import { describe, expect, it } from '@jest/globals';
import { CallHistory } from './call-history.js';

describe('CallHistory', () => {
  it('is without a failure or a success at first', () => {
    expect(new CallHistory()).toMatchObject({
      ...{ successRate: 1, consecutiveFailures: 0, consecutiveRefusals: 0, failingSince: 0 },
      ...{ lastFailureAt: -Infinity, lastSuccessAt: -Infinity, calls: 0, failures: 0 },
    });
    expect(new CallHistory().abandoned()).toBe(1);
  });

  it('knows since when a run of failures lasts, and how many of them were refused connections', () => {
    const history = new CallHistory();
    history.failed(1_000, false);
    history.failed(2_000, true);
    expect(history).toMatchObject({ consecutiveFailures: 2, consecutiveRefusals: 1, failingSince: 1_000 });
    expect(history).toMatchObject({ lastFailureAt: 2_000, lastSuccessAt: -Infinity, calls: 2, failures: 2 });
    history.succeeded(3_000);
    expect(history).toMatchObject({ consecutiveFailures: 0, consecutiveRefusals: 0, lastSuccessAt: 3_000 });
    history.failed(4_000, true);
    expect(history.failingSince).toBe(4_000);
  });

  it('has a rate of success that moves by a twentieth with each call', () => {
    const history = new CallHistory();
    history.failed(0, false);
    expect(history.successRate).toBeCloseTo(0.95, 10);
    history.serverFailed();
    expect(history.successRate).toBeCloseTo(0.9025, 10);
    history.succeeded(0);
    expect(history.successRate).toBeCloseTo(0.907_375, 10);
  });

  it('counts an error of the server where instances are compared, and in no run of failures', () => {
    const history = new CallHistory();
    history.serverFailed();
    expect(history).toMatchObject({
      calls: 1,
      failures: 1,
      consecutiveFailures: 0,
      lastFailureAt: -Infinity,
    });
  });

  it('counts calls that were abandoned in a row: any response ends the row', () => {
    const history = new CallHistory();
    expect([history.abandoned(), history.abandoned()]).toEqual([1, 2]);
    history.serverFailed();
    expect(history.abandoned()).toBe(1);
    history.succeeded(0);
    expect([history.abandoned(), history.abandoned()]).toEqual([1, 2]);
    expect(history.calls).toBe(2);
  });

  it('learns from probes whether connections are accepted', () => {
    const history = new CallHistory();
    history.probeRefused();
    history.probeRefused();
    expect(history).toMatchObject({ consecutiveFailures: 2, consecutiveRefusals: 2, calls: 0, failures: 0 });
    history.probeAccepted();
    expect(history).toMatchObject({ consecutiveFailures: 2, consecutiveRefusals: 0 });
    history.failed(1, true);
    history.forgetFailures();
    expect(history).toMatchObject({ consecutiveFailures: 0, consecutiveRefusals: 0, failures: 1 });
  });

  it('begins each interval with nothing', () => {
    const history = new CallHistory();
    history.failed(0, false);
    history.startInterval();
    expect(history).toMatchObject({ calls: 0, failures: 0, consecutiveFailures: 1 });
  });
});
