import { SecretPaths } from '@rookery/discovery/adapter';
import { describe, expect, it } from '@jest/globals';
import { showChange, showValue } from './show-change.js';

describe('showValue', () => {
  const secrets = new SecretPaths(['database.url', 'pins.*']);

  it.each([
    ['config/shop/limits/rate', '100', '"100"'],
    ['config/shop/db/password', 'hunter2', '(secret)'],
    ['config/shop/database/url', 'hunter2', '(secret)'],
    ['config/shop/pins/alice', '4711', '(secret)'],
    ['config/shop.yml', 'password: hunter2', '17 bytes'],
    ['config/shop/data', 'db.password=hunter2', '19 bytes'],
    ['config/shop/data', '{"a":1}', '7 bytes'],
    ['config/shop/text', 'a\nb', '3 bytes'],
    ['config/shop/odd[', 'x', '"x"'],
  ])('%s', (key, value, shown) => {
    expect(showValue(key, Buffer.from(value), secrets)).toBe(shown);
  });

  it('shows both sides of a change, and bytes that are no text by their number', () => {
    const change = { key: 'k', before: Buffer.from('1'), after: Buffer.from([255, 0]) };
    expect(showChange({ ...change, kind: 'update' }, secrets)).toBe('~ k: "1" → 2 bytes');
    expect(showChange({ ...change, kind: 'delete', after: undefined }, secrets)).toBe('- k: "1"');
    const odd = { key: 'k\u001b[2K', before: Buffer.from('\u009b1A'), after: undefined };
    expect(showChange({ ...odd, kind: 'delete' }, secrets)).toBe('- k [2K: " 1A"');
  });
});
