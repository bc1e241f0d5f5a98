import { Controller, Get, HttpException } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, DiscoveryEvents, RegistrationService, type DiscoveryEvent } from '@rookery/consul';
import { eventually, figure, startTestConsul, type TestConsul } from '@rookery/test-support';
import { rootModule, startApp } from '../e2e/test-app.js';

const INTERVAL_MS = 1_000;

@Controller('guarded')
class GuardedController {
  static isOpen = false;

  @Get()
  check(): string {
    if (!GuardedController.isOpen) throw new HttpException('no credentials', 401);
    return 'fine';
  }
}

describe('F47 a check that never passes', () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());

  it('is reported within two intervals, with its output and the likely cause, until it passes', async () => {
    GuardedController.isOpen = false;
    const check = { type: 'http', path: '/guarded', interval: INTERVAL_MS } as const;
    const module = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'guarded', check } });
    const { app, logger } = await startApp(rootModule([module], { controllers: [GuardedController] }));
    const events: DiscoveryEvent[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    const registration = app.get(RegistrationService);
    const seen = (type: DiscoveryEvent['type']): DiscoveryEvent | undefined =>
      events.find((event) => event.type === type);

    await eventually(async () => (await statusOf(consul)) === 'critical', { within: 10_000, every: 20 });
    const critical = performance.now();
    await eventually(() => seen('check.failed') !== undefined, { within: 20_000, every: 20 });
    const intervals = (performance.now() - critical) / INTERVAL_MS;
    figure('F47', `reported ${intervals.toFixed(1)} intervals after the registry listed it as critical`);

    expect(seen('check.failed')).toMatchObject({
      service: 'guarded',
      reason: expect.stringMatching(/HTTP \/guarded: .*401/),
      cause: expect.stringContaining('authorization'),
    });
    const lines = logger.matching(/lists it as critical/);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/warn .*finds itself healthy, but .*401.*Likely cause: .*authorization/s);
    expect(registration.status).toMatchObject({
      state: 'registered',
      reason: expect.stringContaining('401'),
    });

    GuardedController.isOpen = true;
    await eventually(() => seen('check.recovered') !== undefined, { within: 20_000 });
    expect(registration.status).toMatchObject({ state: 'registered', reason: undefined });
    await app.close();
  }, 60_000);

  it('is not reported when it fails for a moment only', async () => {
    GuardedController.isOpen = true;
    const check = { type: 'http', path: '/guarded', interval: INTERVAL_MS } as const;
    const module = ConsulModule.forRoot({ agent: { url: consul.url }, service: { name: 'guarded', check } });
    const { app } = await startApp(rootModule([module], { controllers: [GuardedController] }));
    const events: DiscoveryEvent[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    const isListedAs = (status: string): Promise<true> =>
      eventually(async () => (await statusOf(consul)) === status, { within: 20_000, every: 20 });
    await isListedAs('passing');
    GuardedController.isOpen = false;
    await isListedAs('critical');
    GuardedController.isOpen = true;
    await isListedAs('passing');
    expect(events.filter(({ type }) => type.startsWith('check.'))).toEqual([]);
    await app.close();
  }, 60_000);
});

async function statusOf({ url }: TestConsul): Promise<string | undefined> {
  const response = await fetch(`${url}/v1/health/checks/guarded`);
  const checks = (await response.json()) as { Status: string }[];
  return checks[0]?.Status;
}
