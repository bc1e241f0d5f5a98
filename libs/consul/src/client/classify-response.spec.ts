import { describe, expect, it } from '@jest/globals';
import { toConsulError } from './classify-response.js';

/** Status, body as measured on 1.8.7 or documented for newer versions, the code, and whether it is retryable. */
const cases: [number, string, string, boolean][] = [
  [400, 'Missing service name', 'RK_REGISTRY_BAD_REQUEST', false],
  [405, 'method POST not allowed', 'RK_REGISTRY_BAD_REQUEST', false],
  [413, 'Request body(524289 bytes) too large', 'RK_REGISTRY_BAD_REQUEST', false],
  [301, '<a href="/v1/kv/a/b">Moved Permanently</a>', 'RK_REGISTRY_BAD_REQUEST', false],
  [403, 'Permission denied: Missing service:write on web', 'RK_ACL_DENIED', false],
  [403, 'ACL not found', 'RK_ACL_DENIED', false],
  [500, 'ACL not found', 'RK_ACL_DENIED', false],
  [404, 'unknown service ID: nope', 'RK_NOT_FOUND', false],
  [
    404,
    'Unknown check ID "x". Ensure that the check ID is passed, not the check name.',
    'RK_NOT_FOUND',
    false,
  ],
  [500, 'CheckID "x" does not have associated TTL', 'RK_NOT_FOUND', false],
  [500, 'Unknown check "x"', 'RK_NOT_FOUND', false],
  [500, 'Unknown service {"nope" {}}', 'RK_NOT_FOUND', false],
  [500, 'invalid session "abc"', 'RK_NOT_FOUND', false],
  [409, '{"Results":null,"Errors":[]}', 'RK_TRANSACTION_CONFLICT', false],
  [429, 'Your IP is issuing too many concurrent connections', 'RK_REGISTRY_LIMITED', true],
  [503, 'rate limit reached', 'RK_REGISTRY_LIMITED', true],
  [500, 'No cluster leader', 'RK_REGISTRY_NO_LEADER', true],
  [500, 'No known Consul servers', 'RK_REGISTRY_NO_LEADER', true],
  [500, 'rpc error making call: EOF', 'RK_REGISTRY_NO_LEADER', true],
  [500, 'rpc error getting client: failed to get conn: connection refused', 'RK_REGISTRY_NO_LEADER', true],
  [500, 'stream closed', 'RK_REGISTRY_NO_LEADER', true],
  [500, 'No path to datacenter', 'RK_UNKNOWN_DATACENTER', true],
  [400, 'Client sent an HTTP request to an HTTPS server.', 'RK_REGISTRY_BAD_REQUEST', false],
  [500, 'Failed to create boolean expression evaluator: 1:1', 'RK_REGISTRY_BAD_REQUEST', false],
  [500, 'something new', 'RK_REGISTRY_ERROR', true],
  [502, '', 'RK_REGISTRY_ERROR', true],
];

describe('classifyResponse', () => {
  it.each(cases)('%i %p is %s, retryable %p', (status, text, code, retryable) => {
    const error = toConsulError('PUT http://127.0.0.1:8500/v1/x', status, text, undefined);
    expect(error).toMatchObject({ code, retryable, status });
    expect(error.message).toContain(`PUT http://127.0.0.1:8500/v1/x → ${status}: ${text || 'no text'}`);
  });

  it('reads Retry-After in seconds, and ignores an unreadable one', () => {
    expect(toConsulError('GET x', 429, '', '5').retryAfterMs).toBe(5_000);
    expect(toConsulError('GET x', 429, 'busy', '1000000000').message).toContain(
      '429: busy; Retry-After asks for 1000000000 s, and 60 s are obeyed',
    );
    expect(toConsulError('GET x', 429, '', 'Wed, 21 Oct 2026 07:28:00 GMT').retryAfterMs).toBeUndefined();
  });

  it('truncates a long body', () => {
    expect(toConsulError('GET x', 500, 'x'.repeat(10_000), undefined).message.length).toBeLessThan(400);
  });

  it('says of a denial what to change', () => {
    const sent = {
      method: 'GET',
      path: '/v1/kv/app/mode',
      query: new URLSearchParams(),
      body: undefined,
    };
    const hint = (text: string, isAnonymous = false): string | undefined =>
      toConsulError('GET x', 403, text, undefined, { ...sent, isAnonymous }).hint;
    expect(hint('Permission denied')).toBe(
      'Add key "app/mode" { policy = "read" } to the policy of the token',
    );
    expect(hint('Permission denied', true)).toMatch(
      /^No token was sent, and it takes one with key "app\/mode" \{ policy = "read" \}: set agent\.token/,
    );
    expect(hint('ACL not found')).toMatch(/^Consul does not know this token: it was deleted, it has expired/);
  });
});
