import { describe, expect, it } from '@jest/globals';
import { ruleOf } from './acl-right.js';
import { neededRight } from './needed-right.js';

const DENIED = 'Permission denied';
const rule = (
  request: string,
  { text = DENIED, body }: { text?: string; body?: object } = {},
): string | undefined => {
  const [method = '', url = ''] = request.split(' ');
  const { pathname, searchParams } = new URL(url, 'http://consul');
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const right = neededRight({ method, path: pathname, query: searchParams, body: sent }, text);
  return right && ruleOf(right);
};

describe('the right that a denied request lacked', () => {
  it.each([
    ['Permission denied: Missing service:write on web', 'service "web" { policy = "write" }'],
    [
      `Permission denied: token with AccessorID 'a-b' lacks permission 'service:write' on "web"`,
      'service "web" { policy = "write" }',
    ],
    [
      `Permission denied: token with AccessorID 'a-b' lacks permission 'node:read' on "n1"`,
      'node "n1" { policy = "read" }',
    ],
  ])('is the one that Consul names: %s', (text, expected) => {
    expect(rule('PUT /v1/agent/check/pass/web:ttl', { text })).toBe(expected);
  });

  it.each([
    ['GET /v1/kv/config/app%20one/limit', 'key "config/app one/limit" { policy = "read" }'],
    ['GET /v1/kv/config/?recurse', 'key_prefix "config/" { policy = "read" }'],
    ['GET /v1/kv/config/?keys&separator=/', 'key_prefix "config/" { policy = "read" }'],
    ['PUT /v1/kv/app/mode?cas=3', 'key "app/mode" { policy = "write" }'],
    ['DELETE /v1/kv/app/?recurse', 'key_prefix "app/" { policy = "write" }'],
    ['PUT /v1/session/create', 'session_prefix "" { policy = "write" }'],
    ['GET /v1/agent/self', 'agent_prefix "" { policy = "read" }'],
    ['GET /v1/query/stock/execute', 'query "stock" { policy = "read" }'],
    ['PUT /v1/event/fire/deploy', 'event "deploy" { policy = "write" }'],
    ['GET /v1/agent/connect/ca/leaf/web', 'service "web" { policy = "write" }'],
    ['GET /v1/connect/intentions/match?by=destination&name=web', 'service "web" { policy = "write" }'],
    ['GET /v1/connect/intentions', 'service "" { policy = "write" }'],
    ['PUT /v1/agent/service/deregister/web-1', undefined],
    ['PUT /v1/acl/token', undefined],
  ])('is otherwise that of %s', (request, expected) => {
    expect(rule(request)).toBe(expected);
  });

  it('is that of the service which a registration names', () => {
    expect(rule('POST /v1/agent/connect/authorize', { body: { Target: 'api' } })).toBe(
      'service "api" { policy = "write" }',
    );
    expect(rule('PUT /v1/agent/service/register', { body: { Name: 'web' } })).toBe(
      'service "web" { policy = "write" }',
    );
  });
});
