import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsulModule, type ConsulModuleOptions, DiscoveryService } from '@rookery/consul';
import { eventually, startTestConsul, type TestConsul } from '@rookery/test-support';
import { PLATFORMS, rootModule, startApp, type Platform, type TestApp } from './test-app.js';

const TOKEN = '6b1f8a6e-6a3b-4f5c-9a5e-0a5d0c6b7f11';

describe.each(PLATFORMS)('GET /discovery on %s', (platform: Platform) => {
  let consul: TestConsul;
  let running: TestApp | undefined;
  const start = async (more: ConsulModuleOptions = {}): Promise<TestApp> => {
    const options = { agent: { url: consul.url, token: TOKEN }, ...more };
    running = await startApp(rootModule([ConsulModule.forRoot(options)]), { platform });
    return running;
  };
  const get = async (path: string, headers: Record<string, string> = {}): Promise<[number, unknown]> => {
    const answer = await fetch(`${running?.url}${path}`, { headers });
    return [answer.status, await answer.json()];
  };

  beforeAll(async () => {
    consul = await startTestConsul({ token: TOKEN });
    for (const [id, tags] of Object.entries({ s1: ['v1'], s2: ['v2'] })) {
      const instance = { ID: id, Name: 'stock', Port: 4000, Tags: tags };
      await consul.request('PUT', '/v1/agent/service/register', instance);
    }
  });
  afterAll(() => consul.stop());
  afterEach(async () => {
    await running?.app.close();
  });

  it('shows the services in use, and starts no watch for others', async () => {
    const { app } = await start();
    expect(await get('/discovery')).toEqual([200, { services: [] }]);
    const query = { tags: ['v1'] };
    await eventually(async () => (await app.get(DiscoveryService).getInstances('stock', query)).length === 1);
    const [status, body] = await get('/discovery/stock');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      services: [
        {
          service: 'stock',
          query,
          usable: 1,
          snapshot: { source: 'live' },
          lists: [{ state: 'current', mode: 'watched', inUse: true, failures: 0 }],
          instances: [
            { id: 's1', state: 'eligible', reason: 'its checks pass' },
            { id: 's2', state: 'filtered', reason: 'it lacks the tag "v1"' },
          ],
        },
      ],
    });
    expect(JSON.stringify(body)).not.toContain(TOKEN);
    expect(await get('/discovery/never-asked')).toEqual([200, { services: [] }]);
    expect(await get('/discovery')).toMatchObject([200, { services: [{ service: 'stock' }] }]);
  });

  it('is shown to this host only, unless its exposure is public', async () => {
    await start();
    const forwarded = { 'x-forwarded-for': '10.0.0.1' };
    expect(await get('/discovery', forwarded)).toMatchObject([404, { statusCode: 404 }]);
    await running?.app.close();
    await start({ discovery: { endpoint: { path: '/services', exposure: 'public' } } });
    expect(await get('/services', forwarded)).toMatchObject([200, {}]);
    expect((await get('/discovery'))[0]).toBe(404);
    await running?.app.close();
    await start({ discovery: { endpoint: { exposure: 'none' } } });
    expect((await get('/discovery'))[0]).toBe(404);
  });
});
