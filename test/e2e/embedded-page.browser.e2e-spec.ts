import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { eventually, tool } from '@rookery/test-support';
import { chromium, type Browser, type Page } from 'playwright-core';
import { CHROMIUM_ARGS } from './chromium-args.js';

const TOKEN = '11111111-2222-4333-8444-555555555555';

describe('the page of EmbeddedConsul, in Chromium', () => {
  let browser: Browser;
  const consuls: EmbeddedConsul[] = [];
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: tool('chromium'), args: CHROMIUM_ARGS });
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await Promise.all(consuls.map((consul) => consul.stop()));
  });
  const open = async (consul: EmbeddedConsul): Promise<Page> => {
    consuls.push(consul);
    const page = await browser.newPage();
    // The root moves on to it, as that of a real agent does.
    await page.goto(consul.url);
    return page;
  };
  const shows = (page: Page, text: string): Promise<unknown> =>
    eventually(async () => (await page.innerText('body')).includes(text));

  it('shows services, checks and keys as they come and go, and what they hold is text', async () => {
    const consul = await EmbeddedConsul.start();
    const page = await open(consul);
    expect(page.url()).toBe(`${consul.url}/ui/`);
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    await shows(page, 'Live.');
    const put = (path: string, body: string): Promise<Response> =>
      fetch(consul.url + path, { method: 'PUT', body });
    const check = { CheckID: 'beat', Name: 'heartbeat', TTL: '60s', Status: 'passing' };
    await put(
      '/v1/agent/service/register',
      JSON.stringify({
        ID: 'web-1',
        Name: 'web',
        Address: '10.0.0.7',
        Port: 80,
        Tags: ['blue'],
        Check: check,
      }),
    );
    await put('/v1/kv/config/web', '<img src=x onerror=alert(1)>');
    await shows(page, '10.0.0.7:80');
    await shows(page, '<img src=x onerror=alert(1)>');
    const row = async (): Promise<string> =>
      await page.locator('#services tr', { hasText: 'web-1' }).innerText();
    expect(await row()).toMatch(/web\s+web-1\s+10\.0\.0\.7:80\s+blue\s+passing/);
    await put('/v1/agent/check/fail/beat?note=burnt', '');
    await shows(page, 'burnt');
    await eventually(async () => (await row()).includes('critical'));
    await put('/v1/agent/service/deregister/web-1', '');
    await eventually(async () => !(await page.innerText('#services')).includes('web-1'));
    expect(problems).toEqual([]);
  }, 60_000);

  it('asks for a token where there are ACLs', async () => {
    const consul = await EmbeddedConsul.start({
      acl: { managementToken: TOKEN },
      data: { kv: { secret: 'shown' } },
    });
    const page = await open(consul);
    await page.locator('#token').waitFor();
    expect(await page.innerText('body')).not.toContain('shown');
    await page.fill('#token', TOKEN);
    await page.press('#token', 'Enter');
    await shows(page, 'shown');
    expect(page.url()).not.toContain(TOKEN);
  }, 60_000);

  it('says that it is not live when the agent is gone', async () => {
    const consul = await EmbeddedConsul.start();
    const page = await open(consul);
    await shows(page, 'Live.');
    await consul.stop();
    await shows(page, 'Not live');
    expect(await page.innerText('#state')).toMatch(/^Not live: .+\.$/);
  }, 60_000);
});
