import { describe, expect, it } from '@jest/globals';
import type { HealthCheckService, HealthIndicatorResult } from '@nestjs/terminus';
import { FakeClock } from '@rookery/test-support';
import type { Contributor, HealthContributors } from './health-contributors.js';
import { HealthService } from './health.service.js';

/** Like Terminus 11, which reports only up and down. */
const terminus11 = {
  async check(indicators: readonly (() => Promise<HealthIndicatorResult>)[]) {
    const results = await Promise.all(indicators.map((indicator) => indicator()));
    const known = results
      .flatMap((result) => Object.entries(result))
      .filter(([, { status }]) => status === 'up');
    return { status: 'ok', details: Object.fromEntries(known) };
  },
} as unknown as HealthCheckService;

function serviceOf(...results: object[]): HealthService {
  const contributors = results.map((result, n): Contributor => ({
    name: `c${n}`,
    groups: ['readiness'],
    timeout: undefined,
    run: () => result as HealthIndicatorResult,
  }));
  return new HealthService(terminus11, { of: () => contributors } as unknown as HealthContributors, {
    clock: new FakeClock(),
    timeoutMs: 1_000,
    cacheMs: 0,
  });
}

describe('HealthService', () => {
  it('is degraded on Terminus 11 too, which does not have that status', async () => {
    const degraded = { status: 'degraded', message: 'cache is cold' };
    expect(await serviceOf({ database: { status: 'up' } }, { cache: degraded }).check()).toEqual({
      status: 'degraded',
      details: { database: { status: 'up' }, cache: degraded },
    });
  });

  it('is down without asking the contributors while the app shuts down, except for liveness', async () => {
    const health = serviceOf({ database: { status: 'up' } });
    health.markNotReady('leaving');
    expect(await health.check()).toMatchObject({
      status: 'shutting_down',
      details: { app: { message: 'leaving' } },
    });
    expect(await health.check('liveness')).toMatchObject({ status: 'ok' });
    health.markReady();
    expect(await health.check()).toMatchObject({ status: 'ok' });
  });
});
