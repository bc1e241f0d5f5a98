import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DashboardModule } from '@rookery/dashboard';
import { DiscoveryService } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { AppProcess, ConsulAgent, eventually, figure, freePorts, tool } from '@rookery/test-support';
import { chromium, type Browser, type Page } from 'playwright-core';
import { accessibilityViolations } from './accessibility-violations.js';
import { CHROMIUM_ARGS } from './chromium-args.js';
import { rootModule, startApp, type TestApp } from './test-app.js';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
/** Pictures of the page, to be looked at. */
const PICTURES = at('test/e2e/results');
/** Frames in five seconds, a second. */
const FRAMES = `new Promise((resolve) => {
  let count = 0;
  const until = performance.now() + 5_000;
  const frame = (now) => {
    count++;
    if (now < until) requestAnimationFrame(frame);
    else resolve(count / 5);
  };
  requestAnimationFrame(frame);
})`;

/** Of the page, where these functions run: the types of browsers would replace those of Node here. */
declare const document: {
  querySelector(selector: string): { readonly textContent: string | null } | null;
  querySelectorAll(selector: string): { readonly length: number };
};

describe('the dashboard, in Chromium', () => {
  let browser: Browser;
  let problems: string[];
  let hosts: Set<string>;
  beforeAll(async () => {
    mkdirSync(PICTURES, { recursive: true });
    browser = await chromium.launch({ executablePath: tool('chromium'), args: CHROMIUM_ARGS });
  }, 60_000);
  afterAll(() => browser.close());
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
  });

  const open = async (
    url: string,
    {
      width = 1440,
      height = 900,
      scheme = 'light',
    }: { width?: number; height?: number; scheme?: 'light' | 'dark' } = {},
  ): Promise<Page> => {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: scheme,
      bypassCSP: false,
    });
    const page = await context.newPage();
    problems = [];
    hosts = new Set();
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith('data:')) hosts.add(new URL(request.url()).host);
    });
    await page.goto(url);
    return page;
  };

  describe('of the sample apps, on a real Consul', () => {
    let consul: ConsulAgent;
    let storefront: AppProcess;
    let inventories: AppProcess[];
    let load: NodeJS.Timeout;
    const start = async (app: string, port?: number): Promise<AppProcess> => {
      const [free = 0] = port === undefined ? await freePorts(1) : [port];
      return AppProcess.start({
        main: at(`apps/${app}/dist/main.js`),
        port: free,
        environment: { CONSUL_HTTP_ADDR: consul.url },
      });
    };
    beforeAll(async () => {
      consul = await ConsulAgent.start();
      inventories = [await start('inventory'), await start('inventory'), await start('inventory')];
      storefront = await start('storefront');
      load = setInterval(() => void fetch(`${storefront.url}/books`).catch(() => undefined), 25);
    }, 120_000);
    afterAll(async () => {
      clearInterval(load);
      await Promise.all([storefront, ...inventories].map((app) => app.kill()));
      await consul.stop();
    });

    it('shows the services, is usable at 360 px and 1440 px, in both themes, and axe finds nothing', async () => {
      for (const [name, width, scheme] of [
        ['light', 1440, 'light'],
        ['dark', 1440, 'dark'],
        ['phone', 360, 'dark'],
      ] as const) {
        const page = await open(`${storefront.url}/rookery`, { width, scheme });
        await page.getByRole('heading', { name: 'inventory' }).waitFor();
        await page.getByText('3 of 3 usable').waitFor();
        // A few seconds of calls, for the lines.
        await page.waitForFunction(() => document.querySelectorAll('.spark path').length >= 2, undefined, {
          timeout: 15_000,
        });
        await page.waitForTimeout(4_000);
        await page.screenshot({ path: `${PICTURES}/dashboard-${name}.png`, fullPage: width < 1_000 });
        const overflow = await page.evaluate<number>(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        expect(overflow).toBe(0);
        expect(await accessibilityViolations(page)).toEqual([]);
        await page.locator('.node', { hasText: 'inventory' }).press('Enter');
        await page.getByRole('heading', { name: 'inventory', level: 2 }).waitFor();
        await page.getByText('its checks pass').first().waitFor();
        expect(await accessibilityViolations(page)).toEqual([]);
        await page.keyboard.press('Escape');
        await page.getByRole('heading', { name: 'inventory', level: 2 }).waitFor({ state: 'detached' });
        expect(problems).toEqual([]);
        expect([...hosts]).toEqual([new URL(storefront.url).host]);
      }
    }, 120_000);

    it('shows a killed instance within a second', async () => {
      const page = await open(`${storefront.url}/rookery`);
      await page.getByText('3 of 3 usable').waitFor();
      await inventories.pop()?.kill();
      const killedAt = Date.now();
      await page.locator('.dot.s2, .dot.s3').first().waitFor({ timeout: 10_000 });
      figure('dashboard', `a killed instance is shown after ${Date.now() - killedAt} ms`);
      await page
        .getByText(/instance\.(ejected|status|removed)/)
        .first()
        .waitFor();
      await page.screenshot({ path: `${PICTURES}/dashboard-killed.png` });
      expect(problems).toEqual([]);
      inventories.push(await start('inventory'));
    }, 60_000);

    it('keeps its filters in the address', async () => {
      const page = await open(`${storefront.url}/rookery?q=nothing`);
      await page.getByText('None of the services matches.').waitFor();
      await page.getByRole('searchbox').fill('inven');
      await page.getByRole('heading', { name: 'inventory' }).waitFor();
      expect(new URL(page.url()).search).toBe('?q=inven');
      await page.getByRole('button', { name: 'Wall board' }).click();
      await page.waitForURL(/board=1/);
      await page.reload();
      await page.getByRole('button', { name: 'Wall board', pressed: true }).waitFor();
    }, 60_000);

    it('survives a restart of its server', async () => {
      const page = await open(`${storefront.url}/rookery`);
      await page.getByText('live').first().waitFor();
      const before = await page.locator('.meta').textContent();
      const { port } = new URL(storefront.url);
      await storefront.kill();
      await page.getByText('connection lost, trying again').waitFor();
      storefront = await start('storefront', Number(port));
      await page.getByText('live', { exact: true }).waitFor({ timeout: 30_000 });
      await page.waitForFunction((text) => document.querySelector('.meta')?.textContent !== text, before);
      await page.getByRole('heading', { name: 'inventory' }).waitFor({ timeout: 20_000 });
      // The browser says that it could not connect; the page itself has no error.
      expect(
        problems.filter(
          (problem) =>
            !/ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|CONNECTION_RESET)/.test(
              problem,
            ),
        ),
      ).toEqual([]);
    }, 90_000);

    it('of the shop shows which instance has answered', async () => {
      const page = await open(storefront.url);
      await page.getByText(/answered by inventory-/).waitFor();
      await page.getByRole('cell', { name: /EUR/ }).first().waitFor();
      expect(await accessibilityViolations(page)).toEqual([]);
      await page.getByRole('link', { name: /dashboard/ }).click();
      await page.getByRole('heading', { name: 'inventory' }).waitFor();
      expect(problems).toEqual([]);
    }, 60_000);
  });

  describe('of 500 services with 10 instances each', () => {
    const SERVICES = 500;
    let app: TestApp;
    let registry: InMemoryRegistry;
    beforeAll(async () => {
      registry = new InMemoryRegistry();
      for (let s = 0; s < SERVICES; s++)
        for (let n = 0; n < 10; n++)
          registry.put({
            id: `service-${s}-${n}`,
            service: `service-${s}`,
            address: '10.0.0.1',
            port: 3_000 + n,
          });
      const useFactory = () => ({ registry });
      app = await startApp(
        rootModule([DiscoveryModule.forRootAsync({ useFactory }), DashboardModule.forRoot()]),
      );
      const discovery = app.app.get(DiscoveryService);
      for (let s = 0; s < SERVICES; s++) await discovery.getInstances(`service-${s}`);
    }, 60_000);
    afterAll(() => app.app.close());

    it('stays fluent, and costs its server little', async () => {
      const page = await open(`${app.url}/rookery`);
      await page
        .getByText(`${SERVICES * 10}`)
        .first()
        .waitFor({ timeout: 20_000 });
      await page.waitForTimeout(2_000);
      // Twenty instances change each second, and calls go to fifty services.
      const discovery = app.app.get(DiscoveryService);
      let turn = 0;
      const change = setInterval(() => {
        turn++;
        for (let n = 0; n < 20; n++)
          registry.setStatus(
            `service-${(turn * 20 + n) % SERVICES}-0`,
            turn % 2 === 0 ? 'passing' : 'critical',
          );
        for (let n = 0; n < 50; n++)
          void discovery.call(`service-${n}`, async () => undefined).catch(() => undefined);
      }, 1_000);
      const shareOf = async (work: () => Promise<unknown>): Promise<number> => {
        const [cpu, begun] = [process.cpuUsage(), performance.now()];
        await work();
        const { user, system } = process.cpuUsage(cpu);
        return (user + system) / 10 / (performance.now() - begun);
      };
      let frames = 0;
      const withPage = await shareOf(async () => {
        frames = await page.evaluate<number>(FRAMES);
      });
      await eventually(async () => (await page.locator('.card.s2').count()) > 0, { within: 10_000 });
      await page.goto('about:blank');
      const without = await shareOf(() => delay(5_000));
      clearInterval(change);
      figure(
        'dashboard',
        `${SERVICES} services x 10 instances: ${Math.round(frames)} frames a second; the process takes ${withPage.toFixed(1)} % of a core with a viewer, ${without.toFixed(1)} % without`,
      );
      expect(frames).toBeGreaterThan(10);
      expect(problems).toEqual([]);
    }, 90_000);
  });
});
