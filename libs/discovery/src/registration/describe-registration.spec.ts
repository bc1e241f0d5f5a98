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

  it('has no password of its URL in the name and the notes of a check', () => {
    const url = 'http://user:geheim@10.0.0.1:80/health?a=b@c';
    const check = { type: 'http', interval: '5s', url } as const;
    const [described] = describeRegistration({ name: 'a', check }, listening).checks;
    expect(described).toMatchObject({ url, name: 'HTTP http://10.0.0.1:80/health?…' });
    expect(described?.notes).toMatch(/^GET http:\/\/10\.0\.0\.1:80\/health\?… /);
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
          { type: 'grpc', interval: '5s', service: 'shop.Inventory', useTls: true, tlsSkipVerify: true },
          { type: 'grpc', interval: '5s', address: '10.0.0.9:50051', timeout: 800 },
          { type: 'tcp', interval: '5s', address: '10.0.0.9:5432', timeout: '1s' },
          { type: 'tcp', interval: 1_500, successBeforePassing: 2 },
          { type: 'ttl', status: 'warning', failuresBeforeCritical: 3 },
          { type: 'ttl', ttl: 90_000, deregisterCriticalServiceAfter: '1h' },
          { type: 'script', interval: '5s', args: ['/bin/check', '-x'], name: 'disk' },
          { type: 'script', interval: '5s', args: ['/bin/check', '-x'] },
          { type: 'alias', aliasService: 'db-1', notes: 'goes with its database' },
          { type: 'alias', aliasNode: 'db-host' },
          { type: 'alias', aliasService: 'db-1', aliasNode: 'db-host' },
        ],
      },
      listening,
    );
    const common = {
      ...{ status: undefined, successBeforePassing: undefined, failuresBeforeCritical: undefined },
      deregisterCriticalServiceAfterMs: 600_000,
    };
    const polled = { intervalMs: 5_000, timeoutMs: 5_000 };
    const every5s = 'every 5s, timeout 5s';
    expect(checks).toEqual([
      {
        ...common,
        id: 'me:peer',
        type: 'http',
        name: 'HTTP http://10.0.0.9/x',
        notes: 'POST http://10.0.0.9/x every 1m, timeout 5s',
        url: 'http://10.0.0.9/x',
        method: 'POST',
        headers: undefined,
        body: '{}',
        tlsSkipVerify: false,
        intervalMs: 60_000,
        timeoutMs: 5_000,
      },
      {
        ...{ ...common, ...polled, id: 'me:grpc-2', type: 'grpc' },
        name: 'gRPC 127.0.0.1:3000/shop.Inventory',
        notes: `grpc.health.v1.Health/Check ${every5s}`,
        address: '127.0.0.1:3000/shop.Inventory',
        useTls: true,
        tlsSkipVerify: true,
      },
      {
        ...{ ...common, id: 'me:grpc-3', type: 'grpc', intervalMs: 5_000, timeoutMs: 800 },
        name: 'gRPC 10.0.0.9:50051',
        notes: 'grpc.health.v1.Health/Check every 5s, timeout 800ms',
        address: '10.0.0.9:50051',
        useTls: false,
        tlsSkipVerify: false,
      },
      {
        ...{ ...common, id: 'me:tcp-4', type: 'tcp', intervalMs: 5_000, timeoutMs: 1_000 },
        ...{ name: 'TCP 10.0.0.9:5432', notes: 'connects every 5s, timeout 1s', address: '10.0.0.9:5432' },
      },
      {
        ...{ ...common, id: 'me:tcp-5', type: 'tcp', intervalMs: 1_500, timeoutMs: 5_000 },
        ...{ name: 'TCP 127.0.0.1:3000', address: '127.0.0.1:3000', successBeforePassing: 2 },
        notes: 'connects every 1500ms, timeout 5s',
      },
      {
        ...{ ...common, id: 'me:ttl-6', type: 'ttl', name: 'TTL', ttlMs: 36_000 },
        ...{ status: 'warning', failuresBeforeCritical: 3 },
        notes: 'reported by the app at least every 36s',
      },
      {
        ...{ ...common, id: 'me:ttl-7', type: 'ttl', name: 'TTL', ttlMs: 90_000 },
        notes: 'reported by the app at least every 90000ms',
        deregisterCriticalServiceAfterMs: 3_600_000,
      },
      {
        ...{ ...common, ...polled, id: 'me:script-8', type: 'script', name: 'disk', notes: every5s },
        args: ['/bin/check', '-x'],
      },
      {
        ...{ ...common, ...polled, id: 'me:script-9', type: 'script', name: 'script /bin/check' },
        ...{ notes: every5s, args: ['/bin/check', '-x'] },
      },
      {
        ...{ ...common, id: 'me:alias-10', type: 'alias', name: 'alias of db-1' },
        ...{ notes: 'goes with its database', service: 'db-1', node: undefined },
      },
      {
        ...{ ...common, id: 'me:alias-11', type: 'alias', name: 'alias of node db-host' },
        ...{ notes: 'same health as node db-host', service: undefined, node: 'db-host' },
      },
      {
        ...{ ...common, id: 'me:alias-12', type: 'alias', name: 'alias of db-1 of node db-host' },
        ...{ notes: 'same health as db-1 of node db-host', service: 'db-1', node: 'db-host' },
      },
    ]);
  });

  it('takes every option of the service', () => {
    const options = {
      ...{ name: 'a', id: 'me', port: 80, secure: true, tags: ['v1'], enableTagOverride: true },
      ...{ zone: 'eu-1a', meta: { version: 2 }, weights: { passing: 10 } },
      taggedAddresses: { wan: { address: '203.0.113.7', port: 443 }, lan: { address: '10.0.0.7' } },
    };
    const { checks, ...rest } = describeRegistration(options, {
      ...listening,
      ...{ address: '10.0.0.7', contextPath: '/api', zone: 'eu-1b' },
    });
    expect(checks).toHaveLength(1);
    expect(rest).toEqual({
      ...{ id: 'me', service: 'a', address: '10.0.0.7', port: 80, secure: true },
      ...{ tags: ['v1'], enableTagOverride: true, weights: { passing: 10, warning: 1 } },
      meta: {
        ...{ zone: 'eu-1a', version: '2', 'rookery-ready': '/health/ready', contextPath: '/api' },
      },
      taggedAddresses: {
        wan: { address: '203.0.113.7', port: 443 },
        lan: { address: '10.0.0.7', port: 80 },
      },
    });
    const weights = { passing: 10, warning: 0 };
    expect(describeRegistration({ name: 'a', weights }, listening).weights).toEqual(weights);
  });

  it('tells of a server without the health endpoints that it speaks no HTTP, and the zone of the process', () => {
    const microservice = { ...listening, hasHealthPath: false, zone: 'eu-1b' };
    const { meta } = describeRegistration({ name: 'a' }, microservice);
    expect(meta).toEqual({ zone: 'eu-1b', 'rookery-rpc': 'true' });
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
