import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, figure, startTestConsul, type TestConsul } from '@rookery/test-support';
import { putInstance, removeInstance, startWatching, type WatchingApp } from './watching-app.js';

const listen = async (): Promise<Server> => {
  const server = createServer((_, response) => response.end('ok'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
};
const portOf = (server: Server): number => (server.address() as AddressInfo).port;

describe('a service with a single instance', () => {
  let consul: TestConsul;
  let app: WatchingApp;
  let isStopped = false;
  let churn: Promise<void>;

  beforeAll(async () => {
    consul = await startTestConsul();
    app = await startWatching({ agent: { url: consul.url } });
    // Each of these changes wakes the watch of a service without instances.
    churn = (async () => {
      for (let n = 0; !isStopped; n++) {
        await putInstance(consul, 'busy', 'busy', 5000 + (n % 100));
        await sleep(50);
      }
    })();
  });
  afterAll(async () => {
    isStopped = true;
    await churn;
    await app.close();
    await consul.stop();
  });

  it('F64 is new, and calls wait for it: it is seen soon, with unrelated changes', async () => {
    const call = (): Promise<string> => app.discovery.call('scaled-up', async ({ id }) => id);
    await expect(call()).rejects.toMatchObject({ code: 'RK_NO_INSTANCES' });
    // By now an absent service is read once in five seconds.
    await sleep(3_000);
    const calling = setInterval(() => void call().catch(() => undefined), 100);
    await sleep(1_500);
    await putInstance(consul, 'scaled-up', 'first', 4001);
    const registeredAt = performance.now();
    await eventually(() => call().catch(() => false as const), { every: 10 });
    const seenMs = performance.now() - registeredAt;
    clearInterval(calling);
    figure('F64', `the first instance of a service that is called: seen after ${Math.round(seenMs)} ms`);
    expect(seenMs).toBeLessThan(3_500);
    await removeInstance(consul, 'first');
  });

  it.each([200, 1_000, 3_000, 8_000, 12_000])(
    'F64 leaves, and a new one registers %i ms later: it is seen soon, with unrelated changes',
    async (pauseMs) => {
      const service = `single-${pauseMs}`;
      const old = await listen();
      await putInstance(consul, service, 'old', portOf(old));
      await eventually(async () => (await app.ids(service)).length === 1);
      old.close();
      old.closeAllConnections();
      await removeInstance(consul, 'old');
      await sleep(pauseMs);
      const next = await listen();
      await putInstance(consul, service, 'next', portOf(next));
      const registeredAt = performance.now();
      await eventually(async () => (await app.ids(service)).join() === 'next', { every: 10 });
      const seenMs = performance.now() - registeredAt;
      figure(
        'F64',
        `a new instance ${pauseMs} ms after the last one left: seen after ${Math.round(seenMs)} ms`,
      );
      // Of a whole pause of 5 s, on a noisy machine.
      expect(seenMs).toBeLessThan(2_500);
      await removeInstance(consul, 'next');
      next.close();
    },
    40_000,
  );
});
