import { describe, expect, it } from '@jest/globals';
import type { AgentService, HealthCheck } from '../client/api/types.js';
import { toRegistrationRecord } from './to-registration-record.js';

const service = (fields: Partial<AgentService> = {}): AgentService =>
  ({ ID: 'web-1', Service: 'web', Address: '10.0.0.1', Port: 80, ...fields }) as AgentService;
const check = (fields: Partial<HealthCheck>): HealthCheck =>
  ({
    CheckID: 'web-1:http',
    Name: 'HTTP',
    Notes: 'n',
    Status: 'passing',
    Output: '',
    ...fields,
  }) as HealthCheck;

describe('what an agent holds, as a registration', () => {
  it('has each field', () => {
    const TaggedAddresses = { wan: { Address: '1.2.3.4', Port: 8080 } };
    const held = service({
      ...{
        Tags: ['a'],
        Meta: { zone: 'z', secure: 'true' },
        Weights: { Passing: 3, Warning: 2 },
        TaggedAddresses,
      },
    });
    expect(toRegistrationRecord(held, [check({})])).toEqual({
      service: 'web',
      address: '10.0.0.1',
      port: 80,
      secure: true,
      tags: ['a'],
      meta: { zone: 'z' },
      weights: { passing: 3, warning: 2 },
      taggedAddresses: { wan: { address: '1.2.3.4', port: 8080 } },
      checks: [{ id: 'web-1:http', name: 'HTTP', notes: 'n' }],
      status: 'passing',
      failing: [],
      maintenance: undefined,
    });
  });

  it('has defaults for what an older agent leaves out', () => {
    expect(toRegistrationRecord(service({ Address: '' }), [])).toMatchObject({
      address: undefined,
      secure: false,
      tags: [],
      meta: {},
      weights: { passing: 1, warning: 1 },
      taggedAddresses: {},
      checks: [],
    });
    expect(toRegistrationRecord(service({ Meta: { secure: 'false' } }), []).secure).toBe(false);
  });

  it('has the failing checks with what they say, and maintenance apart from them', () => {
    const checks = [
      check({ Status: 'critical', Output: ' refused \n' }),
      check({ CheckID: 'web-1:tcp', Name: 'TCP', Status: 'warning', Output: 'slow' }),
      check({ CheckID: '_service_maintenance:web-1', Status: 'critical', Notes: 'deploying' }),
    ];
    expect(toRegistrationRecord(service(), checks)).toMatchObject({
      checks: [{ id: 'web-1:http' }, { id: 'web-1:tcp' }],
      failing: [{ id: 'web-1:http', output: 'HTTP: refused' }],
      maintenance: 'deploying',
    });
  });
});
