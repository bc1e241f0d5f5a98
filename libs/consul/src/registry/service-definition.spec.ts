import { describe, expect, it } from '@jest/globals';
import type { ServiceRegistration } from '@rookery/discovery';
import { toServiceDefinition } from './service-definition.js';

const registration: ServiceRegistration = {
  id: 'web-1',
  service: 'web',
  address: undefined,
  port: 80,
  secure: false,
  tags: ['a'],
  meta: { v: '1' },
  weights: undefined,
  checks: [],
  status: 'passing',
};
const polled = { interval: 90_000, timeout: 1_500, deregisterCriticalServiceAfter: 600_000 };

describe('toServiceDefinition', () => {
  it('sends only what is set: an old agent refuses what it does not know', () => {
    expect(toServiceDefinition(registration)).toEqual({
      ID: 'web-1',
      Name: 'web',
      Port: 80,
      Tags: ['a'],
      Meta: { v: '1' },
      Checks: [],
    });
  });

  it('marks an instance that speaks TLS', () => {
    const definition = toServiceDefinition({ ...registration, secure: true, address: '10.0.0.1' });
    expect(definition).toMatchObject({ Address: '10.0.0.1', Meta: { v: '1', secure: 'true' } });
  });

  it('writes durations as texts with a unit: a bare number would be nanoseconds', () => {
    const { Checks } = toServiceDefinition({
      ...registration,
      status: 'critical',
      weights: { passing: 10, warning: 0 },
      checks: [
        {
          ...polled,
          id: 'web-1:http',
          name: 'HTTP',
          type: 'http',
          url: 'http://127.0.0.1:80/',
          method: 'HEAD',
          headers: { 'X-A': 'b' },
          tlsSkipVerify: true,
        },
        {
          ...polled,
          deregisterCriticalServiceAfter: undefined,
          id: 'web-1:tcp',
          name: 'TCP',
          type: 'tcp',
          address: '[::1]:80',
        },
      ],
    });
    expect(Checks).toEqual([
      {
        CheckID: 'web-1:http',
        Name: 'HTTP',
        Interval: '90000ms',
        Timeout: '1500ms',
        Status: 'critical',
        DeregisterCriticalServiceAfter: '600000ms',
        HTTP: 'http://127.0.0.1:80/',
        Method: 'HEAD',
        Header: { 'X-A': ['b'] },
        TLSSkipVerify: true,
      },
      {
        CheckID: 'web-1:tcp',
        Name: 'TCP',
        Interval: '90000ms',
        Timeout: '1500ms',
        Status: 'critical',
        TCP: '[::1]:80',
      },
    ]);
  });
});
