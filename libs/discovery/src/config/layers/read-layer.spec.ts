import { beforeAll, describe, expect, it } from '@jest/globals';
import { InvalidContent } from '../problem.js';
import { SecretPaths } from '../secret-paths.js';
import { loadReaders, type DocumentReaders } from './documents.js';
import type { ConfigFormat } from './layer-paths.js';
import { ignoredKeys, readLayer } from './read-layer.js';

describe('readLayer', () => {
  let readers: DocumentReaders;
  beforeAll(async () => {
    readers = await loadReaders('files');
  });
  const read = (
    format: ConfigFormat,
    keys: Record<string, string | Buffer>,
    values: 'typed' | 'text' = 'typed',
  ): unknown => {
    const path = format === 'files' ? 'config/shop.' : 'config/shop/';
    const entries = Object.entries(keys).map(([key, value]) => ({
      key: path + key,
      value: Buffer.from(value as string),
    }));
    const options = { format, dataKey: 'data', values, readers, secrets: new SecretPaths(['pin']) };
    return readLayer(path, entries, options).toValue();
  };

  it('reads one value for each key, folders aside, with types', () => {
    expect(
      read('keys', {
        '': '',
        'limits/': '',
        'limits/rate': '100',
        'limits.burst': '5',
        'hosts[1]': 'b',
        'hosts[0]': 'a',
        'peers[0]/port': '1',
        'peers[0]/name': 'x',
        note: '',
        flags: '{"new.ui": true, "list": [1]}',
      }),
    ).toEqual({
      limits: { rate: 100, burst: 5 },
      hosts: ['a', 'b'],
      peers: [{ port: 1, name: 'x' }],
      note: '',
      flags: { new: { ui: true }, list: [1] },
    });
  });

  it('leaves secrets, and everything where that is asked for, as the text that it is', () => {
    expect(read('keys', { 'db/password': '123456', pin: '0042', port: '1' })).toEqual({
      db: { password: '123456' },
      pin: '0042',
      port: 1,
    });
    expect(read('keys', { port: '1' }, 'text')).toEqual({ port: '1' });
  });

  it('reads documents, with dots in names as levels and brackets around names that contain them', () => {
    expect(
      read('yaml', {
        data: 'limits.rate: 5\nlimits:\n  burst: 6\nhosts:\n  "[api.example.com]": 1\n',
        other: 'x',
      }),
    ).toEqual({
      limits: { rate: 5, burst: 6 },
      hosts: { 'api.example.com': 1 },
    });
    expect(read('json', { data: '{"a": {"b": [{"c.d": 1}]}, "e": {}}' })).toEqual({
      a: { b: [{ c: { d: 1 } }] },
      e: {},
    });
    expect(read('properties', { data: 'a.b=1\na.list[0]=x\na.list[1]=y' })).toEqual({
      a: { b: 1, list: ['x', 'y'] },
    });
    expect(read('yaml', { data: '' })).toEqual({});
    expect(read('yaml', { data: '# nothing\n' })).toEqual({});
    expect(read('json', { data: '{}' })).toEqual({});
    expect(read('yaml', {})).toEqual({});
  });

  it.each(['yml', 'yaml', 'json', 'properties'])('reads files with the extension %s', (extension) => {
    const text = { yml: 'a: 1', yaml: 'a: 1', json: '{"a":1}', properties: 'a=1' }[extension] ?? '';
    expect(read('files', { [extension]: text, txt: 'a: 2' })).toEqual({ a: 1 });
  });

  it.each<[string, ConfigFormat, Record<string, string | Buffer>, string, RegExp]>([
    [
      'a value and a part of it',
      'keys',
      { limits: '5', 'limits/rate': '1' },
      'config/shop/limits/rate',
      /which config\/shop\/limits gives/,
    ],
    [
      'one value by two keys',
      'keys',
      { 'a/b': '1', 'a.b': '1' },
      'config/shop/a.b',
      /"a.b", which config\/shop\/a\/b gives/,
    ],
    [
      'one value twice in a document',
      'yaml',
      { data: 'a.b: 1\na:\n  b: 2' },
      'config/shop/data',
      /gives "a.b" twice/,
    ],
    ['a list with a gap', 'keys', { 'l[0]': 'a', 'l[2]': 'b' }, 'config/shop/l[0]', /none at position 1/],
    ['a list and an object', 'keys', { 'l[0]': 'a', 'l/x': 'b' }, 'config/shop/l[0]', /gives "l", which/],
    [
      'a prototype',
      'keys',
      { 'a/__proto__/polluted': 'yes' },
      'config/shop/a/__proto__/polluted',
      /"__proto__" is not allowed/,
    ],
    [
      'a prototype in JSON',
      'json',
      { data: '{"__proto__": {"polluted": true}}' },
      'config/shop/data',
      /"__proto__" is not allowed/,
    ],
    [
      'a prototype in a list',
      'json',
      { data: '{"l": [{"__proto__": {"polluted": true}}]}' },
      'config/shop/data',
      /"__proto__" is not allowed/,
    ],
    [
      'a prototype in YAML',
      'yaml',
      { data: 'a:\n  __proto__:\n    polluted: true' },
      'config/shop/data',
      /"__proto__" is not allowed/,
    ],
    [
      'a prototype in a value',
      'keys',
      { a: '{"b": {"__proto__": {"polluted": true}}}' },
      'config/shop/a',
      /"__proto__" is not allowed/,
    ],
    [
      'a prototype in a property',
      'properties',
      { data: '__proto__.polluted=yes' },
      'config/shop/data',
      /"__proto__" is not allowed/,
    ],
    ['two slashes', 'keys', { 'a//b': '1' }, 'config/shop/a//b', /an empty name between separators/],
    [
      'bytes that are no text',
      'keys',
      { a: Buffer.from([0xff, 0xfe, 0x00]) },
      'config/shop/a',
      /is not text in UTF-8/,
    ],
    [
      'a document that is a list',
      'yaml',
      { data: '- a' },
      'config/shop/data',
      /must be an object of names and values/,
    ],
    ['a document that is a text', 'yaml', { data: 'hello' }, 'config/shop/data', /must be an object/],
    ['broken YAML', 'yaml', { data: 'a: [' }, 'config/shop/data', /not valid YAML at line 1/],
    [
      'two files',
      'files',
      { yml: 'a: 1', yaml: 'a: 2' },
      'config/shop.yaml',
      /there is config\/shop.yml as well/,
    ],
    [
      'deep nesting',
      'json',
      { data: `{"a":${'['.repeat(200)}${']'.repeat(200)}}` },
      'config/shop/data',
      /nested deeper than 64/,
    ],
    [
      'deep objects',
      'json',
      { data: `${'{"a":'.repeat(200)}1${'}'.repeat(200)}` },
      'config/shop/data',
      /nested deeper than 64/,
    ],
    [
      'a huge list of keys',
      'keys',
      Object.fromEntries(Array.from({ length: 10_002 }, (_, i) => [`l[${i}]`, 'x'])),
      'config/shop/l[0]',
      /a list of more than/,
    ],
  ])('refuses %s', (_, format, keys, key, reason) => {
    let thrown: unknown;
    try {
      read(format, keys);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(InvalidContent);
    expect((thrown as InvalidContent).key).toBe(key);
    expect((thrown as InvalidContent).reason).toMatch(reason);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('does not quote a document that may be a key', () => {
    const pem = '-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA//n3vHUNTER2\nMIIEHUNTER2\nMIIEHUNTER2\n';
    let thrown: unknown;
    try {
      read('properties', { data: pem });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(InvalidContent);
    expect(String(thrown)).not.toMatch(/HUNTER2/);
  });

  it('names the keys that a format ignores', () => {
    const entries = ['', 'data', 'limits/rate'].map((key) => ({
      key: `config/shop/${key}`,
      value: Buffer.alloc(0),
    }));
    expect(ignoredKeys('config/shop/', entries, { format: 'keys', dataKey: 'data' })).toEqual([]);
    expect(ignoredKeys('config/shop/', entries, { format: 'yaml', dataKey: 'data' })).toEqual([
      'config/shop/limits/rate',
    ]);
    const files = ['yml', 'yal'].map((key) => ({ key: `config/shop.${key}`, value: Buffer.alloc(0) }));
    expect(ignoredKeys('config/shop.', files, { format: 'files', dataKey: 'data' })).toEqual([
      'config/shop.yal',
    ]);
  });
});
