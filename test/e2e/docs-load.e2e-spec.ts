import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, RegistrationService } from '@rookery/consul';
import { readPage, shownExamples, startTestConsul, type TestConsul } from '@rookery/test-support';
import { missingOptions } from './documented-options.js';
import { rootModule, startApp } from './test-app.js';

const page = readPage('load.md');

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
    // load.md: options
    const overloadable = ConsulModule.forRoot({
      service: { name: 'inventory' },
      clients: { strategy: 'p2c-load', loadProbes: { perSecond: 20 } },
      loadReports: 'private',
      loadShedding: { concurrency: 'adaptive', urgency: 'priority', retryAfter: '1s' },
    });
    // load.md: end
    const { app, url } = await startApp(rootModule([overloadable]));
    await app.get(RegistrationService).whenRegistered();
    const response = await fetch(`${url}/health/live`, {
      headers: { 'endpoint-load-metrics-format': 'TEXT' },
    });
    const fields = String(response.headers.get('endpoint-load-metrics')).match(/[a-z_.]+(?==)/g) ?? [];
    expect(fields).toContain('named_metrics.in_flight');
    for (const field of fields) expect(page).toContain(field);
    await app.close();
  });

  it.each(shownExamples(import.meta.url))(
    'is on its page, word for word: $page, $name',
    ({ page: name, text }) => {
      expect(readPage(name)).toContain(text);
    },
  );

  it('lists all options of load shedding', () => {
    const file = '../../libs/discovery/src/receiving/shedding/shedding-options.ts';
    expect(missingOptions(page, file, 'LoadSheddingOptions')).toEqual([]);
  });
});
