import { describe, expect, it } from '@jest/globals';
import { thrownBy } from '@rookery/test-support';
import type { ConsulClient } from '../../client/consul-client.js';
import { sessionChecks } from './session-checks.js';

describe('the checks of a session', () => {
  const client = {
    agent: {
      checks: {
        list: async () => ({
          body: {
            1: { CheckID: 'web-1:http', ServiceID: 'web-1' },
            2: { CheckID: 'web-1:ttl', ServiceID: 'web-1' },
            3: { CheckID: '_service_maintenance:web-1', ServiceID: 'web-1' },
            4: { CheckID: 'web-2:http', ServiceID: 'web-2' },
            5: { CheckID: 'serfHealth', ServiceID: '' },
          },
        }),
      },
    },
  } as unknown as ConsulClient;
  const nothing = undefined as unknown as ConsulClient;

  it('are none, or those that are named, without a question', async () => {
    expect(await sessionChecks(nothing, 'none', 'web-1')).toEqual([]);
    expect(await sessionChecks(nothing, ['serfHealth'], undefined)).toEqual(['serfHealth']);
  });

  it('are those of the service, except that of its maintenance', async () => {
    expect(await sessionChecks(client, 'service', 'web-1')).toEqual(['web-1:http', 'web-1:ttl']);
  });

  it.each([['web-3'], [undefined]])('are an error for a service without any: %s', async (instance) => {
    expect(await thrownBy(sessionChecks(client, 'service', instance))).toMatchObject({
      ...{
        code: 'RK_NOT_FOUND',
        message: expect.stringContaining("locks.checks = 'service': this app has no check in Consul"),
      },
      hint: 'It is not registered yet, registers no service, or one without a check',
    });
  });
});
