import { describe, expect, it } from '@jest/globals';
import { fillTree } from '../layers/fill-tree.js';
import { formatConfigPath } from '../config-path.js';
import { SecretPaths } from '../secret-paths.js';
import { resolveReferences } from './resolve-references.js';

const resolve = (value: object, environment: Record<string, string> = {}) => {
  const tree = fillTree([{ path: [], value, key: 'k' }]);
  const { problems, secrets } = resolveReferences(tree, {
    environment,
    values: 'typed',
    secrets: new SecretPaths(),
  });
  return { value: tree.toValue(), problems, secrets: secrets.map(formatConfigPath) };
};

describe('resolveReferences', () => {
  it.each<[string, object, object]>([
    ['a whole value, with its type', { a: 5, b: '${a}' }, { a: 5, b: 5 }],
    [
      'a part of a text',
      { host: 'h', port: 1, url: 'http://${host}:${port}/' },
      { host: 'h', port: 1, url: 'http://h:1/' },
    ],
    ['a chain', { a: '${b}', b: '${c}', c: true }, { a: true, b: true, c: true }],
    ['a path', { limits: { rate: 1 }, a: '${limits.rate}' }, { limits: { rate: 1 }, a: 1 }],
    [
      'an object',
      { limits: { rate: 1, x: '${y}' }, y: 2, a: '${limits}' },
      { limits: { rate: 1, x: 2 }, y: 2, a: { rate: 1, x: 2 } },
    ],
    ['in a list', { a: 'x', l: ['${a}', { b: '${a}' }] }, { a: 'x', l: ['x', { b: 'x' }] }],
    ['a variable of the environment', { a: '${PORT}', b: '${PORT}/x' }, { a: 8080, b: '8080/x' }],
    ['a value before a variable', { PORT: 1, a: '${PORT}' }, { PORT: 1, a: 1 }],
    ['a default', { a: '${none:5}', b: '${none:}', c: '${none:a${none:b}}' }, { a: 5, b: '', c: 'ab' }],
    ['a default that is not needed', { x: 1, a: '${x:${none}}' }, { x: 1, a: 1 }],
    ['an escape', { a: '$${b}', c: 'cost: 5$' }, { a: '${b}', c: 'cost: 5$' }],
    ['a value that has an escape', { a: '$${x}', b: '${a}' }, { a: '${x}', b: '${x}' }],
  ])('resolves %s', (_, given, expected) => {
    const { value, problems } = resolve(given, { PORT: '8080' });
    expect(problems).toEqual([]);
    expect(value).toEqual(expected);
  });

  it.each<[string, object, RegExp]>([
    ['a cycle', { a: '${b}', b: '${c}', c: 'x${a}' }, /^a: refers to itself: a → b → c → a$/],
    ['a value in itself', { a: { b: '${a}' } }, /^a.b: refers to itself: a.b → a.b$/],
    ['a missing value', { a: '${none}' }, /^a: "\$\{none\}" refers to no value and to no variable/],
    ['an open reference', { a: '${b' }, /a reference "\$\{" without a name and "\}"/],
    ['an open default', { a: '${b:c' }, /a reference "\$\{b:" without its "\}"/],
    ['an object in a text', { a: { b: 1 }, c: 'x${a}' }, /^c: "\$\{a\}" is no single value/],
    ['a method of Object.prototype', { a: '${toString}' }, /refers to no value/],
  ])('refuses %s', (_, given, reason) => {
    expect(resolve(given).problems[0]?.reason).toMatch(reason);
    expect(resolve(given).problems[0]?.key).toBe('k');
  });

  it('refuses references that explode', () => {
    const bomb: Record<string, string> = { a0: 'x'.repeat(100) };
    for (let i = 1; i < 40; i++) bomb[`a${i}`] = `\${a${i - 1}}`.repeat(2);
    expect(resolve(bomb).problems[0]?.reason).toMatch(/longer than 524288 characters/);
  });

  it('refuses objects that explode, and chains without end', () => {
    const bomb: Record<string, unknown> = { l0: { x: 1 } };
    for (let i = 1; i < 40; i++) bomb[`l${i}`] = { a: `\${b.l${i - 1}}`, b: `\${b.l${i - 1}}` };
    expect(resolve({ b: bomb }).problems[0]?.reason).toMatch(/copy more than 100000 values/);
    const chain: Record<string, string> = { k5000: 'end' };
    for (let i = 0; i < 5_000; i++) chain[`k${i}`] = `\${k${i + 1}}`;
    expect(resolve(chain).problems[0]?.reason).toMatch(/a chain of more than 100 references/);
  });

  it('refuses lists that explode, and defaults without end', () => {
    const a = Array.from({ length: 9_000 }, (_, n) => n);
    expect(resolve({ a, b: Array(200).fill('${a}') }).problems[0]?.reason).toMatch(
      /copy more than 100000 values/,
    );
    const nested = '${q:'.repeat(3_000) + '}'.repeat(3_000);
    expect(resolve({ a: nested }).problems[0]?.reason).toMatch(/references in defaults more than 16 deep/);
  });

  it('does not quote a secret that looks like a reference', () => {
    for (const password of ['abc${hunter2}x', 'abc${hunter2:x']) {
      const { problems } = resolve({ password });
      expect(problems[0]?.reason).toMatch(/^password: a reference in it cannot be resolved; write "\$\$\{"/);
      expect(problems[0]?.reason).not.toContain('hunter2');
    }
  });

  it('does not quote a secret that another value refers to, and quotes what comes after it', () => {
    const url = 'pg://u:${db.password}@h';
    for (const password of ['abc${hunter2}x', 'abc${hunter2:x']) {
      const { problems } = resolve({ url, db: { password }, after: '${none}' });
      const reasons = problems.map(({ reason }) => reason).join('\n');
      expect(reasons).toMatch(/^url: a reference in it cannot be resolved/m);
      expect(reasons).toMatch(/^after: "\$\{none\}" refers to no value/m);
      expect(reasons).not.toContain('hunter2');
    }
  });

  it('leaves a secret the text that it is', () => {
    const given = { password: '${PIN}', token: '${none:42}', other: '${PIN}' };
    expect(resolve(given, { PIN: '12345' }).value).toEqual({ password: '12345', token: '42', other: 12345 });
  });

  it('takes what contains a secret for a secret', () => {
    const { secrets } = resolve(
      {
        db: { password: 'p', url: 'pg://u:${db.password}@h' },
        again: '${db.url}',
        other: '${PLAIN}',
        hidden: '${API_TOKEN}',
        l: ['${again}'],
      },
      { PLAIN: 'x', API_TOKEN: 't' },
    );
    expect(secrets.sort()).toEqual(['again', 'db.url', 'hidden', 'l']);
  });
});
