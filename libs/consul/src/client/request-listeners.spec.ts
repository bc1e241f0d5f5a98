import { describe, expect, it } from '@jest/globals';
import { operationOf } from './request-listeners.js';

describe('operationOf', () => {
  it.each([
    ['GET', '/v1/health/service/orders', 'GET health/service'],
    ['GET', '/v1/kv/config/orders/password', 'GET kv'],
    ['PUT', '/v1/txn', 'PUT txn'],
    ['PUT', '/v1/agent/service/register', 'PUT agent/service/register'],
    ['GET', '/v1/agent/service/orders-1', 'GET agent/service'],
    ['PUT', '/v1/agent/check/update/orders-1:ttl', 'PUT agent/check/update'],
    ['PUT', '/v1/session/renew/adf4238a-882b', 'PUT session/renew'],
    ['GET', '/v1/query/8f246b77-f3e1/execute', 'GET query'],
    ['GET', '/v1/status/leader', 'GET status/leader'],
    ['GET', '/v1/agent/self', 'GET agent/self'],
  ])('%s %s is %s: no name, no key and no id', (method, path, operation) => {
    expect(operationOf(method, path)).toBe(operation);
  });
});
