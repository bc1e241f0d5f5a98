import { describe, expect, it } from '@jest/globals';
import { validateOptions } from '../../configuration/validate-options.js';
import { checkIdOf, checkOptionsSchema } from './check-options.js';

const issues = (options: unknown): string[] =>
  validateOptions(checkOptionsSchema, options).map(({ field, hint }) => `${field}: ${hint}`);

describe('the options of a check', () => {
  it.each([
    { type: 'http', interval: '10s' },
    { type: 'https', interval: 1_000, path: '/health', timeout: 1, tlsSkipVerify: true, method: 'HEAD' },
    {
      type: 'http',
      interval: '10s',
      url: 'http://127.0.0.1:8080/health',
      headers: { 'X-Probe': 'a' },
      body: '',
    },
    { type: 'tcp', interval: '10s', port: 65_535 },
    { type: 'tcp', interval: '10s', address: 'db.example:5432' },
    { type: 'tcp', interval: '10s', address: '[fd00::7]:5432' },
    { type: 'grpc', interval: '10s', service: 'shop.Inventory', useTls: true, address: '10.0.0.7:65535' },
    { type: 'ttl', ttl: 3_000, heartbeat: 'worker-thread', maxStall: '1s' },
    { type: 'script', interval: '10s', args: ['/bin/check'] },
    { type: 'alias', aliasNode: 'db-host' },
    {
      type: 'alias',
      aliasService: 'db-1',
      id: 'db/check',
      name: 'of the database',
      notes: '',
      status: 'warning',
    },
    {
      type: 'ttl',
      successBeforePassing: 1_000,
      failuresBeforeCritical: 0,
      deregisterCriticalServiceAfter: '1m',
    },
  ])('%j', (options) => {
    expect(issues(options)).toEqual([]);
  });

  it.each([
    [{ type: 'udp' }, /must be a check such as/],
    [{ type: 'http' }, /^interval: is missing/],
    [{ type: 'http', interval: 999 }, /^interval: must be a duration/],
    [{ type: 'http', interval: '10s', path: 'health' }, /^path: must be a path that begins with/],
    [{ type: 'http', interval: '10s', path: '/a b' }, /^path: must be a path/],
    [{ type: 'http', interval: '10s', url: 'ftp://x' }, /^url: must be a URL/],
    [
      { type: 'http', interval: '10s', url: 'http://127.0.0.1/', path: '/x' },
      /^url: cannot be combined with path/,
    ],
    [{ type: 'http', interval: '10s', method: 'get' }, /^method: must be an HTTP method/],
    [{ type: 'http', interval: '10s', headers: { 'a b': 'x' } }, /is not a header name/],
    [{ type: 'http', interval: '10s', headers: { a: 1 } }, /^headers.a: must be a string/],
    [{ type: 'http', interval: '10s', tlsSkipVerify: 'yes' }, /^tlsSkipVerify: must be true or false/],
    [{ type: 'tcp', interval: '10s', port: 0 }, /^port:/],
    [{ type: 'tcp', interval: '10s', address: 'http://db:1' }, /^address: must be 'host:port'/],
    [{ type: 'tcp', interval: '10s', address: 'db' }, /^address: must be 'host:port'/],
    [{ type: 'tcp', interval: '10s', address: 'db:65536' }, /^address: must have a port of at most 65535/],
    [{ type: 'grpc', interval: '10s', service: 'a/b' }, /^service: must be the name of a gRPC service/],
    [{ type: 'ttl', ttl: 2_999 }, /^ttl: must be a duration/],
    [{ type: 'ttl', heartbeat: 'thread' }, /^heartbeat: must be/],
    [{ type: 'ttl', maxStall: 999 }, /^maxStall: must be a duration/],
    [{ type: 'script', interval: '10s', args: [] }, /^args: must name a program/],
    [{ type: 'script', interval: '10s', args: '/bin/check' }, /^args: must be a program and its arguments/],
    [{ type: 'alias' }, /^aliasService: is missing; set aliasService or aliasNode/],
    [{ type: 'ttl', id: '..' }, /^id: must not be ".", ".." or empty/],
    [{ type: 'ttl', id: 'a//b' }, /^id: must not be ".", ".." or empty/],
    [{ type: 'ttl', id: './a' }, /^id: must not be ".", ".." or empty/],
    [{ type: 'ttl', id: 'a\nb' }, /^id: must not contain control characters/],
    [{ type: 'ttl', id: '\ud800' }, /^id: must be well-formed Unicode/],
    [{ type: 'ttl', id: 'register' }, /^id: must not be a reserved word/],
    [{ type: 'ttl', id: '' }, /^id: must not be empty/],
    [{ type: 'ttl', name: '' }, /^name: must not be empty/],
    [{ type: 'ttl', status: 'up' }, /^status: must be 'passing', 'warning' or 'critical'/],
    [{ type: 'ttl', failuresBeforeCritical: 1_001 }, /^failuresBeforeCritical:/],
    [{ type: 'ttl', deregisterCriticalServiceAfter: '59s' }, /^deregisterCriticalServiceAfter:/],
    [{ type: 'ttl', interval: '10s' }, /^interval: unknown option/],
  ])('not %j', (options, message) => {
    expect(issues(options)).toEqual([expect.stringMatching(message)]);
  });

  it('name a check by its id, else by its type, and by its place where there are several', () => {
    expect(checkIdOf({ type: 'ttl' }, 0, 1)).toBe('ttl');
    expect(checkIdOf({ type: 'ttl' }, 1, 2)).toBe('ttl-2');
    expect(checkIdOf({ type: 'ttl', id: 'own' }, 1, 2)).toBe('own');
  });
});
