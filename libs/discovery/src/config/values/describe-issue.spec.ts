import { describe, expect, it } from '@jest/globals';
import { fillTree } from '../layers/fill-tree.js';
import { SecretPaths } from '../secret-paths.js';
import { describeIssues } from './describe-issue.js';

const values = {
  db: { password: 'hunter2', url: 'postgres://app:hunter2@db/x', other: 'http://u:p@h/' },
  sessions: { hunter2: 1 },
  title: 2001,
};
const tree = fillTree([{ path: [], value: values, key: 'k' }]);
const describeOne = (path: string[], message: string) =>
  describeIssues([{ path, message }], values, tree, new SecretPaths())[0];

describe('describeIssues', () => {
  it.each<[string[], string, string]>([
    [
      ['title'],
      'expected string',
      'title = 2001: expected string; as a text it has to be in quotation marks: "2001"',
    ],
    [['db', 'url'], 'Too big', 'db.url = "postgres://(secret)@db/x": Too big'],
    [['db', 'other'], 'Too big', 'db.other = "http://(secret)@h/": Too big'],
    [['db', 'password'], 'bad hunter2', 'db.password = (secret): it is not as the schema declares'],
    [['db'], 'bad {"password":"hunter2"}', 'db = { password, url, other }: bad {"password":"(secret)"}'],
    [['sessions'], 'bad', 'sessions = { (secret) }: bad'],
    [[], 'bad hunter2', 'the configuration: bad (secret)'],
    [['none', 'x'], 'expected string', 'none.x is missing: expected string'],
  ])('%j', (path, message, reason) => {
    expect(describeOne(path, message)?.reason).toBe(reason);
  });

  it('describes as many as can be read', () => {
    const issues = Array.from({ length: 30_000 }, () => ({ path: ['title'], message: 'bad' }));
    const described = describeIssues(issues, values, tree, new SecretPaths());
    expect(described).toHaveLength(51);
    expect(described.at(-1)?.reason).toBe('and 29950 more');
  });
});
