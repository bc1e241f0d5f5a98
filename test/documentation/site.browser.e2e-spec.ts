import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, tool } from '@rookery/test-support';
import { PATHS } from '../../apps/docs/pages.mjs';
import { chromium, type Browser, type Page } from 'playwright-core';
import { accessibilityViolations } from '../e2e/accessibility-violations.js';
import { CHROMIUM_ARGS } from '../e2e/chromium-args.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SITE = `${ROOT}apps/docs/dist`;
/** Pictures of the site, to be looked at. */
const PICTURES = `${ROOT}test/e2e/results`;
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** Looked at, in both themes. */
const PICTURED: readonly string[] = ['index', 'registration', 'clients', 'balancing', 'errors', 'options'];
/** Of the API, a page of each kind. */
const API_PAGES = [
  'api/index',
  'api/@rookery/consul/index',
  'api/@rookery/consul/interfaces/ClientsOptions',
  'api/@rookery/consul/classes/DiscoveryService',
  'api/@rookery/consul/type-aliases/DiscoveryEvent',
  'api/@rookery/consul/config/functions/consulConfig',
];

/** What people look for, and the page that answers it. */
const QUESTIONS = [
  ['CircuitBreakerOptions', 'api/@rookery/consul/interfaces/CircuitBreakerOptions'],
  ['list.suspect', 'events'],
  ['drainTimeout', 'options'],
  ['deploy without losing a request', 'deploying'],
  ['instance ejected', 'balancing'],
  ['policy token', 'acl'],
  ['test without Consul', 'testing'],
  ['RK_NO_INSTANCES', 'errors'],
  ['Vitest', 'testing'],
  ['Kubernetes', 'running'],
] as const;

describe('the site of the documentation, in Chromium', () => {
  let server: Server;
  let browser: Browser;
  let url: string;
  let problems: string[];
  let hosts: Set<string>;

  beforeAll(async () => {
    mkdirSync(PICTURES, { recursive: true });
    await promisify(execFile)('npm', ['run', '--silent', 'docs:build'], { cwd: ROOT });
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://site');
      const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
      void readFile(`${SITE}${path}`).then(
        (content) =>
          response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream').end(content),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({ executablePath: tool('chromium'), args: CHROMIUM_ARGS });
  }, 300_000);
  afterAll(async () => {
    await browser.close();
    server.close().closeAllConnections();
  });

  const open = async (path: string, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme });
    const page = await context.newPage();
    problems = [];
    hosts = new Set();
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('request', (request) => hosts.add(new URL(request.url()).host));
    await page.goto(`${url}${path}`, { waitUntil: 'networkidle' });
    return page;
  };

  // What is written differs from page to page, the colours of a theme do not.
  describe.each([
    ['light', [...PATHS.values(), ...API_PAGES]],
    ['dark', PICTURED],
  ] as const)('in the %s theme, is accessible, and asks no other host', (scheme, names) => {
    let page: Page;
    beforeAll(async () => {
      page = await open('/', scheme);
    });
    afterAll(() => page.context().close());

    it.each(names)('%s', async (name) => {
      await page.goto(`${url}/${name}.html`);
      if (PICTURED.includes(name)) await page.screenshot({ path: `${PICTURES}/site-${name}-${scheme}.png` });
      expect(await accessibilityViolations(page)).toEqual([]);
      expect(problems).toEqual([]);
      expect([...hosts]).toEqual([new URL(url).host]);
    });
  });

  describe('the search', () => {
    afterEach(async () => {
      await Promise.all(browser.contexts().map((context) => context.close()));
    });

    /** The pages that the search shows now, best first. */
    const found = async (page: Page): Promise<readonly string[]> => {
      const links = await Promise.all(
        (await page.locator('a.result').all()).map((link) => link.getAttribute('href', { timeout: 1_000 })),
      );
      return links.map((href) => href?.replace(/\.html.*$|#.*$/, '').replace(/\/$/, '/index') ?? '');
    };

    /** The first page, with the search open. */
    const search = async (): Promise<Page> => {
      const page = await open('/');
      // A page takes keys once it is hydrated, which nothing tells; the key opens what is closed, and closes nothing.
      await eventually(
        async () => {
          await page.keyboard.press('Control+k');
          return await page.locator('#localsearch-input').isVisible();
        },
        { within: 60_000, every: 200 },
      );
      return page;
    };

    it('finds what answers a question', async () => {
      const page = await search();
      for (const [question, answer] of QUESTIONS) {
        await page.locator('#localsearch-input').fill(question);
        await eventually(async () => {
          expect({ question, pages: (await found(page)).slice(0, 5) }).toEqual({
            question,
            pages: expect.arrayContaining([`/${answer}`]),
          });
          return true;
        });
      }
    });

    it('finds every page by its title', async () => {
      const page = await search();
      for (const [file, name] of PATHS) {
        const [, title = ''] = /^# (.*)$/m.exec(await readFile(`${ROOT}${file}`, 'utf8')) ?? [];
        await page.locator('#localsearch-input').fill(title.replaceAll('`', ''));
        await eventually(async () => {
          expect(await found(page)).toContain(`/${name}`);
          return true;
        });
      }
    });
  });
});
