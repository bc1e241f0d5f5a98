import { request } from 'node:https';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AppProcess,
  eventually,
  freePorts,
  startConnectConsul,
  type ConsulAgent,
} from '@rookery/test-support';
import { pageOf } from './sample-run.js';

const MAIN = fileURLToPath(new URL('../../apps/samples/dist/09-connect/main.js', import.meta.url));

describe('the sample of Connect', () => {
  let consul: ConsulAgent;
  beforeAll(async () => {
    ({ consul } = await startConnectConsul());
  });
  afterAll(() => consul.stop());

  it('calls itself with certificates of Consul, and refuses what has none', async () => {
    const [port = 0] = await freePorts(1);
    const app = await AppProcess.start({
      ...{ main: MAIN, port, transport: 'tcp' },
      environment: { CONSUL_HTTP_ADDR: consul.url },
    });
    const [, told = ''] = /It prints `([^`]+)`/.exec(pageOf('09-connect')) ?? [];
    await eventually(() => told !== '' && app.output.includes(told), { within: 30_000 });
    const asked = request(`https://127.0.0.1:${port}/secret`, { rejectUnauthorized: false }).end();
    const refused = await Promise.race([
      once(asked, 'error').then(() => true),
      once(asked, 'response').then(([response]) => (response as IncomingMessage).statusCode === 403),
    ]);
    expect(refused).toBe(true);
    await app.stop();
  });
});
