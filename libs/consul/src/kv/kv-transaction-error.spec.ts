import { describe, expect, it } from '@jest/globals';
import type { KvOperation } from './kv-operation.js';
import { KvTransactionError } from './kv-transaction-error.js';

describe('KvTransactionError', () => {
  const operations: readonly KvOperation[] = [
    { type: 'compareAndSet', key: 'a', value: 'hunter2', modifyIndex: 7 },
    { type: 'delete', key: 'b' },
    { type: 'get', key: 'c' },
    { type: 'list', prefix: 'd/' },
    { type: 'deleteTree', prefix: 'e/' },
    { type: 'checkSession', key: 'f', session: 's' },
    { type: 'checkIndex', key: 'g', modifyIndex: 1 },
    { type: 'checkNotExists', key: 'h' },
  ];
  const failedWith = (...texts: [number, string][]): KvTransactionError =>
    new KvTransactionError(
      operations,
      texts.map(([OpIndex, What]) => ({ OpIndex, What })),
    );

  it('names each operation that failed, and no value', () => {
    const error = failedWith([0, 'index is stale'], [1, 'something']);
    expect(error).toMatchObject({
      ...{ code: 'RK_TRANSACTION_CONFLICT', status: 409 },
      hint: 'Nothing was changed; read the keys again and repeat it',
      failures: [
        { index: 0, type: 'compareAndSet', key: 'a', kind: 'conflict', text: 'index is stale' },
        { index: 1, type: 'delete', key: 'b', kind: 'other', text: 'something' },
      ],
    });
    expect(error.message).toContain(
      'transaction of 8 operations rolled back: operation 0, compareAndSet of a: index is stale; operation 1, delete of b: something',
    );
    expect(JSON.stringify(error) + error.message).not.toContain('hunter2');
  });

  it('has no failure of an operation that was not sent', () => {
    const error = failedWith([99, 'what?']);
    expect(error.failures).toEqual([]);
    expect(error.message).toContain('rolled back: no reason given');
  });

  it.each([
    ['Permission denied', 'denied'],
    ['ACL not found', 'denied'],
    ['key "a" doesn\'t exist', 'missing'],
    ['key "a" does not exist', 'missing'],
    ['failed session check for key', 'session'],
    ['current index 5', 'conflict'],
    ['key "a" exists', 'conflict'],
    ['set is not possible', 'other'],
  ])('%s: %s', (text, kind) => {
    expect(failedWith([0, text]).failures[0]?.kind).toBe(kind);
  });

  it('names the rules that the token lacks, each once', () => {
    const denied = 'Permission denied';
    const error = failedWith(...[0, 1, 2, 3, 4, 5, 6, 7].map((n): [number, string] => [n, denied]), [
      0,
      denied,
    ]);
    expect(error).toMatchObject({ code: 'RK_ACL_DENIED', status: 409 });
    expect(error.hint?.match(/key(_prefix)? "[^"]*" \{ policy = "\w+" \}/g)).toEqual([
      'key "a" { policy = "write" }',
      'key "b" { policy = "write" }',
      'key "c" { policy = "read" }',
      'key_prefix "d/" { policy = "read" }',
      'key_prefix "e/" { policy = "write" }',
      'key "f" { policy = "read" }',
      'key "g" { policy = "read" }',
      'key "h" { policy = "read" }',
    ]);
    expect(error.hint).toMatch(/^Add .* and .* to the policy of the token$/);
  });
});
