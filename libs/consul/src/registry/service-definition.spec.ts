import { describe, expect, it } from '@jest/globals';
import type { ServiceRegistration } from '@rookery/discovery/adapter';
import { toServiceDefinition } from './service-definition.js';

const registration: ServiceRegistration = {
  id: 'web-1',
  service: 'web',
  address: undefined,
  port: 80,
  secure: false,
  tags: ['a'],
  enableTagOverride: false,
  meta: { v: '1' },
  weights: undefined,
  taggedAddresses: {},
  checks: [],
  status: 'passing',
  maintenance: undefined,
};
const polled = { intervalMs: 90_000, timeoutMs: 1_500, deregisterCriticalServiceAfterMs: 600_000 };

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

  it('writes durations as strings with a unit: a bare number would be nanoseconds', () => {
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
          deregisterCriticalServiceAfterMs: undefined,
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

  it('maps each kind of check to Consul’s field names', () => {
    const { Checks, TaggedAddresses } = toServiceDefinition({
      ...registration,
      taggedAddresses: { wan: { address: '203.0.113.7', port: 443 } },
      checks: [
        { ...polled, id: 'g', name: 'g', type: 'grpc', address: 'h:1/s', useTls: true, tlsSkipVerify: false },
        {
          id: 't',
          name: 't',
          type: 'ttl',
          ttlMs: 36_000,
          status: 'warning',
          notes: 'n',
          successBeforePassing: 2,
        },
        { ...polled, id: 's', name: 's', type: 'script', args: ['/bin/true'], failuresBeforeCritical: 3 },
        { id: 'a', name: 'a', type: 'alias', service: 'db', node: undefined },
      ],
    });
    const Interval = '90000ms';
    const Timeout = '1500ms';
    const DeregisterCriticalServiceAfter = '600000ms';
    const shared = { Interval, Timeout, DeregisterCriticalServiceAfter, Status: 'passing' };
    expect(TaggedAddresses).toEqual({ wan: { Address: '203.0.113.7', Port: 443 } });
    expect(Checks).toEqual([
      { ...shared, CheckID: 'g', Name: 'g', GRPC: 'h:1/s', GRPCUseTLS: true },
      { CheckID: 't', Name: 't', TTL: '36000ms', Status: 'warning', Notes: 'n', SuccessBeforePassing: 2 },
      { ...shared, CheckID: 's', Name: 's', ScriptArgs: ['/bin/true'], FailuresBeforeCritical: 3 },
      { CheckID: 'a', Name: 'a', AliasService: 'db', Status: 'passing' },
    ]);
  });

  it('says what tags may be changed from outside, and that it is a part of Consul Connect', () => {
    expect(toServiceDefinition({ ...registration, enableTagOverride: true }).EnableTagOverride).toBe(true);
    const secure = { ...registration, secure: true };
    expect(toServiceDefinition(secure, true).Connect).toEqual({ Native: true });
    expect(toServiceDefinition(secure)).not.toHaveProperty('Connect');
    expect(toServiceDefinition(registration, true)).not.toHaveProperty('Connect');
  });

  it('has the status of a check, unless the registration was removed by being critical', () => {
    const checks = [{ id: 't', name: 't', type: 'ttl', ttlMs: 1_000, status: 'warning' }] as const;
    const statusOf = (status: ServiceRegistration['status']): unknown =>
      toServiceDefinition({ ...registration, status, checks }).Checks?.[0]?.Status;
    expect([statusOf('passing'), statusOf('critical')]).toEqual(['warning', 'critical']);
  });

  it('sends what a check posts, whether it looks at certificates, and the node of an alias', () => {
    const { Checks } = toServiceDefinition({
      ...registration,
      checks: [
        {
          ...polled,
          ...{ id: 'h', name: 'h', type: 'http', url: 'https://a/', method: 'POST', body: '{}' },
          tlsSkipVerify: false,
        },
        { ...polled, id: 'g', name: 'g', type: 'grpc', address: 'a:1', useTls: true, tlsSkipVerify: true },
        { id: 'a', name: 'a', type: 'alias', service: 'db', node: 'n1' },
      ],
    });
    expect(Checks).toMatchObject([
      { HTTP: 'https://a/', Method: 'POST', Body: '{}' },
      { GRPC: 'a:1', GRPCUseTLS: true, TLSSkipVerify: true },
      { AliasService: 'db', AliasNode: 'n1' },
    ]);
    expect(Checks?.[0]).not.toHaveProperty('TLSSkipVerify');
  });
});
