import { describe, expect, it } from '@jest/globals';
import { describeRegistration, type Listening } from './describe-registration.js';

const listening: Listening = {
  port: 3000,
  secure: false,
  hostName: 'host',
  address: undefined,
  checkHost: '127.0.0.1',
  checkIsRemote: false,
  healthPath: '/health',
  hasHealthPath: true,
  contextPath: '',
  zone: undefined,
};

describe('describeRegistration', () => {
  it('needs no more than a name', () => {
    expect(describeRegistration({ name: 'inventory' }, listening)).toEqual({
      id: 'inventory-host-3000',
      service: 'inventory',
      address: undefined,
      port: 3000,
      secure: false,
      tags: [],
      enableTagOverride: false,
      meta: { 'rookery-ready': '/health/ready' },
      weights: undefined,
      taggedAddresses: {},
      checks: [
        {
          id: 'inventory-host-3000:http',
          name: 'HTTP /health',
          notes: 'GET http://127.0.0.1:3000/health every 10s, timeout 5s',
          type: 'http',
          url: 'http://127.0.0.1:3000/health',
          intervalMs: 10_000,
          timeoutMs: 5_000,
          deregisterCriticalServiceAfterMs: 600_000,
          method: undefined,
          headers: undefined,
          tlsSkipVerify: false,
        },
      ],
    });
  });

  it('writes numbers and booleans of the meta as strings', () => {
    const { meta } = describeRegistration({ name: 'a', meta: { n: 1, b: true, t: 'x' } }, listening);
    expect(meta).toMatchObject({ n: '1', b: 'true', t: 'x' });
  });

  it('checks a server of a mesh where no certificate is needed, and reports where there is no such place', () => {
    const inMesh = { ...listening, secure: true };
    const checkOf = (checkPort: number | undefined, more: Partial<Listening> = {}) =>
      describeRegistration({ name: 'a' }, { ...inMesh, ...more, inMesh: { checkPort } }).checks[0];
    expect(checkOf(3001)).toMatchObject({ type: 'http', url: 'http://127.0.0.1:3001/health' });
    expect(checkOf(undefined)).toMatchObject({ url: 'https://127.0.0.1:3000/health', tlsSkipVerify: true });
    expect(checkOf(undefined, { hasHealthPath: false, hasGrpcHealth: true })).toMatchObject({ type: 'ttl' });
    const own = { name: 'a', check: { type: 'http', interval: '5s', path: '/up' } } as const;
    const [given] = describeRegistration(own, { ...inMesh, inMesh: { checkPort: 3001 } }).checks;
    expect(given).toMatchObject({ url: 'http://127.0.0.1:3001/up' });
  });

  it('checks where the process listens, unless an address was configured', () => {
    const configured = { name: 'a', port: 4711, address: 'books.example' };
    const [local] = describeRegistration(configured, listening).checks;
    expect(local).toMatchObject({ url: 'http://127.0.0.1:3000/health' });
    const elsewhere = { ...listening, checkHost: 'books.example', checkIsRemote: true };
    const [remote] = describeRegistration(configured, elsewhere).checks;
    expect(remote).toMatchObject({ url: 'http://books.example:4711/health' });
    const [tls] = describeRegistration({ name: 'a' }, { ...listening, secure: true }).checks;
    expect(tls).toMatchObject({ url: 'https://127.0.0.1:3000/health' });
    const offloaded = { name: 'a', secure: true, check: { type: 'http', interval: '5s' } } as const;
    expect(describeRegistration(offloaded, listening)).toMatchObject({
      secure: true,
      checks: [{ url: 'http://127.0.0.1:3000/health' }],
    });
  });

  it('gives each of several checks its own id', () => {
    const { checks } = describeRegistration(
      {
        name: 'a',
        id: 'me',
        check: [
          { type: 'https', path: '/ready', interval: '5s', headers: { 'X-Probe': 'yes' }, method: 'HEAD' },
          { type: 'tcp', interval: 2_000, port: 4000 },
        ],
      },
      { ...listening, checkHost: '::1', secure: true },
    );
    expect(checks).toMatchObject([
      { id: 'me:https-1', url: 'https://[::1]:3000/ready', headers: { 'X-Probe': 'yes' }, method: 'HEAD' },
      { id: 'me:tcp-2', address: '[::1]:4000', intervalMs: 2_000 },
    ]);
  });

  it('describes every kind of check', () => {
    const { checks } = describeRegistration(
      {
        name: 'a',
        id: 'me',
        check: [
          { type: 'http', url: 'http://10.0.0.9/x', interval: '1m', body: '{}', method: 'POST', id: 'peer' },
          { type: 'grpc', interval: '5s', service: 'shop.Inventory', useTls: true },
          { type: 'ttl', status: 'warning', failuresBeforeCritical: 3 },
          { type: 'script', interval: '5s', args: ['/bin/check', '-x'], name: 'disk' },
          { type: 'alias', aliasService: 'db-1', notes: 'goes with its database' },
        ],
      },
      listening,
    );
    expect(checks).toMatchObject([
      {
        id: 'me:peer',
        type: 'http',
        url: 'http://10.0.0.9/x',
        method: 'POST',
        body: '{}',
        intervalMs: 60_000,
      },
      { id: 'me:grpc-2', type: 'grpc', address: '127.0.0.1:3000/shop.Inventory', useTls: true },
      { id: 'me:ttl-3', type: 'ttl', ttlMs: 36_000, status: 'warning', failuresBeforeCritical: 3 },
      { id: 'me:script-4', type: 'script', args: ['/bin/check', '-x'], name: 'disk' },
      { id: 'me:alias-5', type: 'alias', service: 'db-1', notes: 'goes with its database' },
    ]);
  });

  it.each([
    [undefined, 15_000],
    [{ type: 'http', interval: '10s' } as const, 15_000],
    [{ type: 'ttl', ttl: '30s' } as const, 30_000],
  ])('has the app report its health to a registry that runs no checks: %j', (check, ttlMs) => {
    const service = { name: 'a', ...(check && { check }) };
    const { checks } = describeRegistration(service, { ...listening, reportTtlMs: 15_000 });
    expect(checks).toMatchObject([{ type: 'ttl', ttlMs }]);
    expect(checks).toHaveLength(1);
  });

  it('gives a microservice, which has no health path, a TTL check', () => {
    const { checks } = describeRegistration({ name: 'a' }, { ...listening, hasHealthPath: false });
    expect(checks).toMatchObject([{ id: 'a-host-3000:ttl', type: 'ttl', ttlMs: 36_000 }]);
  });

  it('has the agent ask a gRPC server that answers for its health', () => {
    const grpc = { ...listening, hasHealthPath: false, hasGrpcHealth: true };
    const { checks } = describeRegistration({ name: 'a' }, grpc);
    expect(checks).toMatchObject([
      { id: 'a-host-3000:grpc', type: 'grpc', address: '127.0.0.1:3000', intervalMs: 10_000, useTls: false },
    ]);
    const secure = describeRegistration({ name: 'a' }, { ...grpc, secure: true });
    expect(secure).toMatchObject({ secure: true, checks: [{ useTls: true }] });
    expect(describeRegistration({ name: 'a' }, { ...grpc, reportTtlMs: 9_000 }).checks).toMatchObject([
      { type: 'ttl', ttlMs: 9_000 },
    ]);
  });

  it('takes the zone from the options, then the meta, then the environment', () => {
    const there = { ...listening, zone: 'of-the-environment' };
    const zoneOf = (options: object): string | undefined =>
      describeRegistration({ name: 'a', ...options }, there).meta.zone;
    expect(zoneOf({})).toBe('of-the-environment');
    expect(zoneOf({ zone: 'own' })).toBe('own');
    expect(zoneOf({ zone: 'own', meta: { zone: 'of-the-meta' } })).toBe('of-the-meta');
  });

  it('gives tagged addresses the port of the service unless they have their own', () => {
    const taggedAddresses = { lan: { address: '10.0.0.1' }, wan: { address: '203.0.113.7', port: 443 } };
    expect(describeRegistration({ name: 'a', taggedAddresses }, listening)).toMatchObject({
      taggedAddresses: {
        lan: { address: '10.0.0.1', port: 3000 },
        wan: { address: '203.0.113.7', port: 443 },
      },
    });
  });
});
