import { Controller, Get, type INestApplication } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ConsulModule } from '@rookery/consul';
import { DiscoveryEvents, type DiscoveryEvent, type LoadSheddingOptions } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { eventually, thrownBy } from '@rookery/test-support';
import { createApp, PLATFORMS, rootModule, startApp, type Platform } from './test-app.js';

@Controller()
class Kitchen {
  readonly #waiting: (() => void)[] = [];

  @Get('meal')
  meal(): Promise<string> {
    return new Promise((resolve) => this.#waiting.push(() => resolve('served')));
  }

  @Get('chopping')
  chop(): string {
    const until = performance.now() + 40;
    while (performance.now() < until);
    return 'chopped';
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  serve(): void {
    for (const end of this.#waiting.splice(0)) end();
  }
}

describe.each(PLATFORMS)('load shedding on %s', (platform) => {
  const apps: INestApplication[] = [];
  const moduleWith = (loadShedding: boolean | LoadSheddingOptions | undefined) =>
    rootModule(
      [
        DiscoveryModule.forRootAsync({
          useFactory: () => ({
            registry: new InMemoryRegistry(),
            ...(loadShedding === undefined ? {} : { loadShedding }),
          }),
        }),
      ],
      { controllers: [Kitchen] },
    );
  const start = async (loadShedding?: boolean | LoadSheddingOptions, on: Platform = platform) => {
    const { app, url } = await startApp(moduleWith(loadShedding), { platform: on });
    apps.push(app);
    const events: DiscoveryEvent[] = [];
    app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
    const kitchen = app.get(Kitchen);
    const order = (headers: Record<string, string> = {}, path = '/meal'): Promise<Response> =>
      fetch(`${url}${path}`, { headers });
    const fill = async (
      count: number,
      headers: Record<string, string> = {},
    ): Promise<Promise<Response>[]> => {
      const before = kitchen.waiting;
      const orders = Array.from({ length: count }, () => order(headers));
      await eventually(() => kitchen.waiting === before + count);
      return orders;
    };
    return { kitchen, order, fill, events };
  };
  afterEach(async () => {
    for (const app of apps) app.get(Kitchen).serve();
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  it('refuses what is more than its limit with 503 and Retry-After, and answers the others', async () => {
    const { kitchen, order, fill, events } = await start({ concurrency: 2, retryAfter: '2500ms' });
    const taken = await fill(2);
    const refused = await order();
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('3');
    expect(await refused.json()).toMatchObject({
      statusCode: 503,
      message: expect.stringContaining('under way'),
    });
    expect(events).toContainEqual(expect.objectContaining({ type: 'shedding.started', limit: 2 }));
    kitchen.serve();
    expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200]);
    const [next] = await fill(1);
    kitchen.serve();
    expect((await next)?.status).toBe(200);
  });

  it('takes urgent requests beyond it, and others only up to a part of it', async () => {
    const { kitchen, order, fill } = await start({ concurrency: 4 });
    const taken = await fill(2);
    expect((await order({ priority: 'u=6' })).status).toBe(503);
    taken.push(...(await fill(2)));
    expect((await order()).status).toBe(503);
    taken.push(...(await fill(1, { priority: 'u=0, i' })));
    kitchen.serve();
    expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  it('knows how urgent a request is by another header, or by a function', async () => {
    for (const urgency of [
      'x-importance',
      ({ headers }: { headers: NodeJS.Dict<string | string[]> }) => Number(headers['x-importance'] ?? 3),
    ]) {
      const { kitchen, order, fill } = await start({ concurrency: 2, urgency });
      const taken = await fill(1);
      expect((await order({ 'x-importance': '7' })).status).toBe(503);
      kitchen.serve();
      await Promise.all(taken);
    }
  });

  it('refuses first what its caller would no longer wait for: turns of the event loop take longer', async () => {
    const { order } = await start({ concurrency: 100 });
    let isOver = false;
    const patient: number[] = [];
    const crowd = Array.from({ length: 4 }, async () => {
      while (!isOver) patient.push((await order({ 'rookery-timeout': '60000' }, '/chopping')).status);
    });
    try {
      await eventually(async () => {
        const refused = await order({ 'rookery-timeout': '20' }, '/chopping');
        // 504: it was taken, and its time was over before the handler began.
        expect(refused.status).toBe(503);
        expect(await refused.json()).toMatchObject({ message: expect.stringContaining('under way') });
        return true;
      });
    } finally {
      isOver = true;
    }
    await Promise.all(crowd);
    expect(new Set(patient)).toEqual(new Set([200]));
  });

  it('always answers the health endpoints, and where it is off everything', async () => {
    const { kitchen, order, fill } = await start({ concurrency: 1 });
    const taken = await fill(1);
    expect((await order({}, '/meal')).status).toBe(503);
    for (const path of ['/health', '/health/live', '/health/ready', '/discovery'])
      expect((await order({}, path)).status).not.toBe(503);
    kitchen.serve();
    await Promise.all(taken);

    const off = await start();
    const all = await off.fill(30);
    off.kitchen.serve();
    expect((await Promise.all(all)).every(({ status }) => status === 200)).toBe(true);
  });

  it('names wrong options', async () => {
    const wrong = async (loadShedding: unknown): Promise<string> => {
      const consul = ConsulModule.forRoot({ loadShedding: loadShedding as LoadSheddingOptions });
      return String(await thrownBy(createApp(rootModule([consul]), platform)));
    };
    expect(await wrong({ concurrency: 0 })).toMatch(
      /loadShedding\.concurrency = 0: must be an integer from 1 to 100000/,
    );
    expect(await wrong({ urgency: 'not a header' })).toMatch(/loadShedding\.urgency.*a header's name/);
    expect(await wrong({ retryAfter: 'soon' })).toMatch(/loadShedding\.retryAfter/);
    expect(await wrong('yes')).toMatch(/loadShedding.*must be true, false, or an object/);
  });
});
