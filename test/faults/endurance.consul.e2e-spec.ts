import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, RegistrationService } from '@rookery/consul';
import { ConsulAgent, eventually, figure } from '@rookery/test-support';
import { FaultProxy } from './fault-proxy.js';
import { rootModule, startApp, type TestApp } from '../e2e/test-app.js';
import { instancesOf } from './registry-view.js';

const CYCLES = 1_000;
const APPS = 30;
const BIN_MS = 100;

describe('many registrations', () => {
  let agent: ConsulAgent;
  beforeAll(async () => {
    agent = await ConsulAgent.start();
  });
  afterAll(() => agent.stop());
  const start = (name: string, id?: string, url = agent.url): Promise<TestApp> =>
    startApp(
      rootModule([
        ConsulModule.forRoot({
          agent: { url },
          service: { name, check: { type: 'ttl' }, ...(id === undefined ? {} : { id }) },
          shutdown: { drainTimeout: 0 },
        }),
      ]),
    );

  it(`F42 ${CYCLES} times into the registry and out of it: no handle, timer or listener more`, async () => {
    const { app } = await start('cycled');
    const registration = app.get(RegistrationService);
    const cycle = async (): Promise<void> => {
      await registration.register();
      await registration.whenRegistered();
      await registration.deregister();
    };
    const count = (): Record<string, number> => ({
      handles: process.getActiveResourcesInfo().length,
      listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    });
    await registration.whenRegistered();
    for (let n = 0; n < 20; n++) await cycle();
    const before = count();
    for (let n = 0; n < CYCLES; n++) await cycle();
    const after = count();
    figure(
      'F42',
      `${CYCLES} cycles: handles ${before.handles} → ${after.handles}, listeners ${before.listeners} → ${after.listeners}`,
    );
    expect(after.listeners).toBe(before.listeners);
    // The number of sockets and timers that are just ending varies.
    expect(after.handles).toBeLessThanOrEqual((before.handles ?? 0) + 10);
    expect(await instancesOf(agent, 'cycled')).toEqual([]);
    await app.close();
  }, 240_000);

  it(`F20 ${APPS} apps of one agent that restarts do not come back in one moment`, async () => {
    const proxy = await FaultProxy.start(agent.url);
    const apps = await Promise.all(
      Array.from({ length: APPS }, (_, n) => start('herd', `herd-${n}`, proxy.url)),
    );
    await eventually(async () => (await instancesOf(agent, 'herd')).length === APPS, { within: 20_000 });
    // Each of them watches, so that all their connections break at once.
    await eventually(() => watchers(proxy) >= 2 * APPS, { within: 20_000 });
    const before = proxy.requests.length;
    await agent.restart();
    await eventually(async () => (await instancesOf(agent, 'herd')).length === APPS, { within: 20_000 });
    // The time of the request, not of the response: an agent without a leader yet answers all of them at once.
    const asked = proxy.requests.slice(before).filter(({ what }) => what.includes('/service/register'));
    const restored = asked.map(({ at }) => at);
    const first = Math.min(...restored);
    const bins = new Map<number, number>();
    for (const at of restored) {
      const bin = Math.floor((at - first) / BIN_MS);
      bins.set(bin, (bins.get(bin) ?? 0) + 1);
    }
    const fullest = Math.max(...bins.values());
    figure(
      'F20',
      `${APPS} apps register again within ${Math.round(Math.max(...restored) - first)} ms, ${fullest} of them in the same 100 ms`,
    );
    expect(restored.length).toBeGreaterThanOrEqual(APPS);
    expect(fullest).toBeLessThanOrEqual(APPS / 2);
    await Promise.all(apps.map(({ app }) => app.close()));
    await proxy.stop();
  }, 120_000);
});

function watchers(proxy: FaultProxy): number {
  const blocking = proxy.requests.flatMap(({ what }) =>
    /^GET .*[?&](hash|index)=/.test(what) ? [what] : [],
  );
  return blocking.length;
}
