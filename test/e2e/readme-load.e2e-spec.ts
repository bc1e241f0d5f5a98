import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, RegistrationService } from '@rookery/consul';
import { startTestConsul, type TestConsul } from '@rookery/test-support';
import { missingOptions } from './documented-options.js';
import { rootModule, startApp } from './test-app.js';

const page = readFileSync(new URL('../../libs/discovery/docs/load.md', import.meta.url), 'utf8');

/** The page shows the options that run here, word for word. */
describe('the page on load', () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startTestConsul();
    process.env.CONSUL_HTTP_ADDR = consul.url;
  });
  afterAll(async () => {
    delete process.env.CONSUL_HTTP_ADDR;
    await consul.stop();
  });

  it('has options that an app starts with', async () => {
    // README begin
    const overloadable = ConsulModule.forRoot({
      service: { name: 'inventory' },
      clients: { strategy: 'p2c-load', loadProbes: { perSecond: 20 } },
      loadReports: 'private',
      loadShedding: { concurrency: 'adaptive', urgency: 'priority', retryAfter: '1s' },
    });
    // README end
    const { app, url } = await startApp(rootModule([overloadable]));
    await app.get(RegistrationService).whenRegistered();
    const response = await fetch(`${url}/health/live`, {
      headers: { 'endpoint-load-metrics-format': 'TEXT' },
    });
    const fields = String(response.headers.get('endpoint-load-metrics')).match(/[a-z_.]+(?==)/g) ?? [];
    expect(fields).toContain('named_metrics.in_flight');
    for (const field of fields) expect(page).toContain(field);
    await app.close();
    const own = readFileSync(new URL(import.meta.url), 'utf8');
    const [, block = ''] = own.split(/ *\/\/ README (?:begin|end)\n/);
    const shown = block.replaceAll(/^ {4}/gm, '').trim();
    expect(shown).not.toBe('');
    expect(page).toContain(shown);
  });

  it('lists all options of load shedding', () => {
    const file = '../../libs/discovery/src/receiving/shedding/shedding-options.ts';
    expect(missingOptions(page, file, 'LoadSheddingOptions')).toEqual([]);
  });
});
