import { beforeAll, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, TerminusModule, type HealthIndicatorResult } from '@nestjs/terminus';
import { FakeClock, settle } from '@rookery/test-support';
import type { HealthChange } from './contributor-statuses.js';
import type { HealthGroup } from './health-contributor.decorator.js';
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

  describe('with Terminus', () => {
    let terminus: HealthCheckService;
    beforeAll(async () => {
      const module = TerminusModule.forRoot({ logger: false });
      const app = await NestFactory.createApplicationContext(module, { logger: false });
      terminus = app.get(HealthCheckService, { strict: false });
    });
    const of = (contributors: readonly Partial<Contributor>[], cacheMs = 0) => {
      const clock = new FakeClock();
      const asked: unknown[] = [];
      const all = contributors.map((each, n): Contributor => ({
        ...{ name: `C.c${n}`, groups: ['readiness'], timeout: undefined, run: () => ({}) },
        ...each,
      }));
      const service = new HealthService(
        terminus,
        { of: (group: unknown) => (asked.push(group), all) } as unknown as HealthContributors,
        { clock, timeoutMs: 4_000, cacheMs },
      );
      return { service, clock, asked };
    };
    const up = { run: () => ({ database: { status: 'up' as const } }) };

    it('reports one that throws, hangs or returns no result as down under its name, beside the others', async () => {
      const { service, clock } = of([
        up,
        {
          run: () => {
            throw new Error('no route to it');
          },
        },
        { run: () => Promise.reject(new Error('refused')) },
        { run: () => new Promise(() => undefined), timeout: 500 },
        { run: () => new Promise(() => undefined) },
        ...[
          undefined,
          null,
          [],
          {},
          'up',
          { a: null },
          { a: { status: 'fine' } },
          { a: { status: 'up' }, b: 1 },
        ].map((result) => ({
          run: () => result as never,
        })),
      ]);
      const checked = service.check();
      await clock.advance(4_000);
      const { status, details } = await checked;
      expect(status).toBe('error');
      expect(details).toMatchObject({
        database: { status: 'up' },
        'C.c1': { status: 'down', message: 'no route to it' },
        'C.c2': { status: 'down', message: 'refused' },
        'C.c3': { status: 'down', message: 'no result in 500 ms' },
        'C.c4': { status: 'down', message: 'no result in 4000 ms' },
      });
      for (let n = 5; n <= 12; n++)
        expect(details[`C.c${n}`]).toMatchObject({
          status: 'down',
          message: expect.stringMatching(/^not a Terminus result/),
        });
    });

    it('runs one that hangs again only after a while, longer each time, and at once when it has ended', async () => {
      const answers: ((result: HealthIndicatorResult) => void)[] = [];
      const { service, clock } = of([
        { run: () => new Promise((resolve) => answers.push(resolve)), timeout: 1_000 },
      ]);
      const check = async (group?: HealthGroup) => {
        const checked = service.check(group);
        await clock.advance(1_000);
        return (await checked).details;
      };
      const down = { 'C.c0': { status: 'down', message: 'no result in 1000 ms' } };
      expect(await check()).toEqual(down);
      // Now without waiting.
      expect((await service.check()).details).toEqual(down);
      expect((await service.check('readiness')).details).toEqual(down);
      expect(answers).toHaveLength(1);
      for (let second = 0; second < 100; second++) await check();
      expect(answers).toHaveLength(4);
      answers[0]?.({ database: { status: 'up' } });
      await settle();
      const checked = service.check();
      await settle();
      answers.at(-1)?.({ database: { status: 'up' } });
      expect((await checked).details).toEqual({ database: { status: 'up' } });
      expect(answers).toHaveLength(5);
    });

    it('tells when a contributor changes, and keeps its key when it throws', async () => {
      const changes: HealthChange[] = [];
      let fails = false;
      const run = () => {
        if (fails) throw new Error('refused');
        return up.run();
      };
      const service = new HealthService(
        terminus,
        { of: () => [contributor] } as unknown as HealthContributors,
        { clock: new FakeClock(), timeoutMs: 1_000, cacheMs: 0, onChange: (change) => changes.push(change) },
      );
      const contributor: Contributor = { name: 'C.c', groups: ['readiness'], timeout: undefined, run };
      await service.check();
      fails = true;
      expect((await service.check()).details).toEqual({ database: { status: 'down', message: 'refused' } });
      await service.check('readiness');
      fails = false;
      await service.check();
      expect(changes).toEqual([
        { name: 'database', from: 'up', to: 'down', reason: 'refused' },
        { name: 'database', from: 'down', to: 'up', reason: undefined },
      ]);
    });

    it('is degraded only where nothing is down', async () => {
      const degraded = { run: () => ({ cache: { status: 'degraded', message: 'cold' } }) as never };
      expect(await of([up, degraded]).service.check()).toMatchObject({ status: 'degraded' });
      const { service } = of([up, degraded, { run: () => ({ queue: { status: 'down' as const } }) }]);
      expect(await service.check()).toMatchObject({
        status: 'error',
        details: { cache: { status: 'degraded' } },
      });
    });

    it('runs once for all that ask at the same time, and again when its result is too old', async () => {
      let runs = 0;
      const counted = { run: () => (runs++, up.run()) };
      const { service, clock, asked } = of([counted], 1_000);
      await Promise.all([service.check(), service.check(), service.check('liveness')]);
      expect(runs).toBe(2);
      expect(asked).toEqual([undefined, 'liveness']);
      await clock.advance(999);
      await service.check();
      expect(runs).toBe(2);
      await clock.advance(1);
      await service.check();
      expect(runs).toBe(3);
      let answer: (result: never) => void = () => undefined;
      const slow = of([{ run: () => new Promise((resolve) => (answer = resolve)) }]);
      const first = slow.service.check();
      const second = slow.service.check();
      await settle();
      answer(up.run() as never);
      expect(await first).toBe(await second);
      expect(slow.asked).toHaveLength(1);
    });

    it('never rejects, whatever Terminus does', async () => {
      const broken = { check: () => Promise.reject(new Error('it broke')) } as unknown as HealthCheckService;
      const service = new HealthService(broken, { of: () => [] } as unknown as HealthContributors, {
        ...{ clock: new FakeClock(), timeoutMs: 1_000, cacheMs: 0 },
      });
      expect(await service.check()).toEqual({
        status: 'error',
        details: { health: { status: 'down', message: 'it broke' } },
      });
    });

    it('says of an app that is not ready what the reason is', async () => {
      const { service } = of([up]);
      service.markNotReady('starting');
      const app = { app: { status: 'down', message: 'starting' } };
      expect(await service.check('readiness')).toEqual({
        status: 'shutting_down',
        info: {},
        error: app,
        details: app,
      });
    });
  });
});
