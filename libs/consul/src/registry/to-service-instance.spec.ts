import { describe, expect, it } from '@jest/globals';
import type { HealthCheck, ServiceEntry } from '../client/api/types.js';
import { invalidReason, isValidEntry } from './invalid-entry.js';
import { worstStatus } from '../client/worst-status.js';
import { toServiceInstance } from './to-service-instance.js';

const check = (CheckID: string, Status: HealthCheck['Status']): HealthCheck => ({
  CheckID,
  Status,
  Node: 'n1',
  Name: CheckID,
  Notes: '',
  Output: '',
  ServiceID: '',
  ServiceName: '',
  ServiceTags: [],
});
const entry = (service: Partial<ServiceEntry['Service']> = {}, checks: HealthCheck[] = []): ServiceEntry => ({
  Node: {
    ID: 'x',
    Node: 'n1',
    Address: '10.0.0.1',
    Datacenter: 'dc1',
    TaggedAddresses: null,
    Meta: { zone: 'z1' },
  },
  Service: {
    ID: 'web1',
    Service: 'web',
    Tags: ['a'],
    Meta: { version: '1' },
    Port: 80,
    Address: '10.0.0.2',
    Weights: { Passing: 10, Warning: 2 },
    EnableTagOverride: false,
    ...service,
  },
  Checks: checks,
});

const serviceWith = (more: object): unknown => {
  const valid = entry();
  return { ...valid, Service: { ...valid.Service, ...more } };
};
/** An agent accepts most of these, or a proxy makes them up. */
const WRONG: readonly unknown[] = [
  ...[
    ['10.0.0.1'],
    { ip: '10.0.0.1' },
    7,
    true,
    '10.0.0.1/path',
    'host?x',
    'host#x',
    '[::1',
    'a b',
    'http://h',
  ].map((Address) => serviceWith({ Address })),
  ...[-1, 0, 70_000, 1.5, '80', null].map((Port) => serviceWith({ Port })),
  serviceWith({ Tags: 'a' }),
  serviceWith({ Tags: [1] }),
  serviceWith({ Meta: { a: 1 } }),
];

describe('toServiceInstance', () => {
  it('reads every field that the core uses', () => {
    expect(toServiceInstance(entry())).toEqual({
      id: 'web1',
      service: 'web',
      address: '10.0.0.2',
      port: 80,
      secure: false,
      tags: ['a'],
      meta: { version: '1' },
      status: 'passing',
      weight: 10,
      zone: 'z1',
      node: 'n1',
      datacenter: 'dc1',
    });
  });

  it("uses the node's address when the service has none", () => {
    expect(toServiceInstance(entry({ Address: '' })).address).toBe('10.0.0.1');
  });

  it('accepts null for tags and meta, and reads zone and TLS from the meta', () => {
    expect(toServiceInstance(entry({ Tags: null, Meta: null }))).toMatchObject({ tags: [], meta: {} });
    const secure = toServiceInstance(entry({ Meta: { secure: 'true', zone: 'z2' } }));
    expect(secure).toMatchObject({ secure: true, zone: 'z2' });
  });

  it('takes one that is Connect-native for one that speaks TLS', () => {
    expect(toServiceInstance(entry({ Connect: { Native: true } }))).toMatchObject({
      secure: true,
      inMesh: true,
    });
    for (const Connect of [{}, null, { Native: false }])
      expect(toServiceInstance(entry({ Connect }))).toMatchObject({ secure: false });
  });

  it('uses the warning weight for a warning instance', () => {
    expect(toServiceInstance(entry({}, [check('c', 'warning')]))).toMatchObject({
      status: 'warning',
      weight: 2,
    });
  });

  it('treats an instance without checks, as in a prepared query, as passing', () => {
    expect(toServiceInstance({ ...entry(), Checks: null }).status).toBe('passing');
  });

  it.each([
    null,
    {},
    { Node: {} },
    { ...entry(), Service: { ID: 'x' } },
    ...WRONG,
    { ...entry(), Checks: 'none' },
  ])('refuses %p', (wrong) => {
    expect(isValidEntry(wrong)).toBe(false);
    expect(invalidReason(wrong)).toMatch(/^its? (lacks|address|port|tags|meta|checks)/);
  });

  it('says no more of a wrong value than fits a line', () => {
    const reason = invalidReason(serviceWith({ Address: '/'.repeat(1_000_000) }));
    expect(reason).toMatch(/^its address is "\/+…, not a host name/);
    expect(reason?.length).toBeLessThan(200);
  });
});

describe('worstStatus', () => {
  it.each([
    [[], 'passing'],
    [['passing', 'passing'], 'passing'],
    [['passing', 'warning'], 'warning'],
    [['critical', 'warning'], 'critical'],
  ] as [HealthCheck['Status'][], string][])('of %p is %p', (statuses, expected) => {
    expect(worstStatus(statuses.map((status, n) => check(`c${n}`, status)))).toBe(expected);
  });

  it('is maintenance if the service or its node is in maintenance, whatever the other checks', () => {
    expect(worstStatus([check('a', 'critical'), check('_service_maintenance:web1', 'critical')])).toBe(
      'maintenance',
    );
    expect(worstStatus([check('_node_maintenance', 'critical')])).toBe('maintenance');
  });
});
