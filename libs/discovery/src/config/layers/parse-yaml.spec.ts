import { describe, expect, it } from '@jest/globals';
import { thrownBy } from '@rookery/test-support';
import { parseJsonDocument } from './parse-json.js';
import { parseYamlDocument } from './parse-yaml.js';

describe('parseYamlDocument', () => {
  it('reads plain data, with anchors and merge keys', () => {
    const text =
      'base: &base\n  rate: 1\n  burst: 2\nshop:\n  <<: *base\n  rate: 3\nwhen: 2026-01-01\non: yes\n';
    expect(parseYamlDocument(text)).toEqual({
      base: { rate: 1, burst: 2 },
      shop: { rate: 3, burst: 2 },
      when: '2026-01-01',
      on: 'yes',
    });
  });

  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]']
    .concat(
      'bcdefghi'
        .split('')
        .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(', ')}]`),
    )
    .join('\n');

  it.each([
    ['a broken structure', 'a: [1, 2\nb: 3', /line 2, column 1|line 1/],
    ['a tab as indentation', 'a:\n\tb: 1', /line 2.*(tab|token)/],
    ['the same key twice', 'a: 1\na: 2', /line 2, column 1: the same key twice/],
    ['two documents', 'a: 1\n---\nb: 2', /more than one document/],
    ['a tag of JavaScript', 'run: !!js/function "function () { return 1 }"', /a tag that is not plain data/],
    ['a tag of Python', 'run: !!python/object/apply:os.system ["true"]', /a tag that is not plain data/],
    ['a tag of its own', 'a: !secret x', /a tag that is not plain data/],
    ['aliases that explode', bomb, /more than 100 aliases/],
    ['an alias without its anchor', 'password: *hunter2', /an alias without its anchor/],
    ['nesting without end', '['.repeat(20_000), /not (valid|usable) YAML/],
    ['a merge of what is no mapping', 'a: 1\nb:\n  <<: [1]', /not usable YAML/],
  ])('refuses %s, with the place and without the text', async (_, text, message) => {
    const error = await thrownBy(() => parseYamlDocument(text));
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/hunter2|os\.system|function \(/);
    expect(error.cause).toBeUndefined();
  });
});

describe('parseYamlDocument of half a megabyte', () => {
  it.each<[string, string, (value: unknown) => void]>([
    [
      'many names',
      Array.from({ length: 40_000 }, (_, n) => `k${n}: 1`).join('\n'),
      (value) => expect(Object.keys(value as object)).toHaveLength(40_000),
    ],
    [
      'a flow mapping',
      `{${Array.from({ length: 40_000 }, (_, n) => `k${n}: 1`).join(',')}}`,
      (value) => expect(Object.keys(value as object)).toHaveLength(40_000),
    ],
  ])('reads %s', (_, text, check) => check(parseYamlDocument(text)));

  it.each([
    ['the same name', 'a: 1\n'.repeat(60_000), /line 2, column 1: the same key twice/],
    ['errors in all lines', 'a: @x\n'.repeat(60_000), /not valid YAML at line 1/],
    ['open brackets', '['.repeat(500_000), /nested too deeply/],
  ])('refuses %s', async (_, text, message) => {
    expect((await thrownBy(() => parseYamlDocument(text))).message).toMatch(message);
  });
});

describe('parseJsonDocument', () => {
  it.each([
    ['{"password": hunter2}', /^not valid JSON( at line 1, column 1\d)?$/],
    ['{\n  "a": 1,\n  "b": x\n}', /^not valid JSON( at line 3, column 8)?$/],
    ['{"a":', /^not valid JSON: it ends too early$|column 6$/],
  ])('says where %j is wrong, without the text', async (text, message) => {
    const error = await thrownBy(() => parseJsonDocument(text));
    expect(error.message).toMatch(message);
    expect(error.cause).toBeUndefined();
  });
});
