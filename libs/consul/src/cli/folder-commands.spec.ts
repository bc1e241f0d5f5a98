import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeAgent, FakeTerminal } from '@rookery/test-support';
import { run } from './run.js';
import type { Terminal } from './terminal.js';

describe('the commands for folders', () => {
  let agent: FakeAgent;
  let folder: string;
  let out: string;
  let err: string;

  beforeEach(async () => {
    agent = await FakeAgent.start();
    folder = mkdtempSync(join(tmpdir(), 'rookery-folder-'));
    agent.answers['/v1/txn'] = { Results: [], Errors: null };
  });
  afterEach(() => {
    agent.stop();
    rmSync(folder, { recursive: true });
  });
  const config = async (args: readonly string[], changes: Partial<Terminal> = {}): Promise<number> => {
    agent.requests.length = 0;
    const terminal = new FakeTerminal({ CONSUL_HTTP_ADDR: agent.url }, changes);
    const code = await run(['config', ...args], terminal);
    ({ out, err } = terminal);
    return code;
  };
  const write = (files: Record<string, string>): void => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
  };
  /** What Consul has, by key. */
  const has = (values: Record<string, string>, prefix = 'config/', Flags = 0): void => {
    agent.answers[`/v1/kv/${prefix}`] = Object.entries(values).map(([Key, value]) => ({
      ...{ Key, Value: Buffer.from(value).toString('base64'), Flags },
      ...{ CreateIndex: 1, ModifyIndex: 7, LockIndex: 0 },
    }));
  };
  /** The operations of each transaction. */
  const transactions = (): unknown[][] =>
    agent.requests
      .filter(({ url }) => url === '/v1/txn')
      .map(({ body }) => (JSON.parse(body.toString()) as { KV: unknown }[]).map(({ KV }) => KV));

  it('import asks, and applies what it has shown only then', async () => {
    has({ 'config/a': 'old' }, 'config/', 3);
    write({ a: 'new\n', b: '1\n' });
    const asked: string[] = [];
    const confirm = (answer: boolean) => async (question: string) => {
      asked.push(question);
      return answer;
    };
    expect(await config(['import', folder], { confirm: confirm(false) })).toBe(1);
    expect([out, err]).toEqual([
      '~ config/a: "old" → "new"\n+ config/b: "1"\n',
      '2 changes: 1 to create, 1 to update\nNothing was changed.\n',
    ]);
    expect(transactions()).toEqual([]);
    expect(await config(['import', folder], { confirm: confirm(true) })).toBe(0);
    expect(err).toMatch(/\nApplied 2 changes\.\n$/);
    expect(transactions()).toEqual([
      [
        { Verb: 'cas', Key: 'config/a', Value: 'bmV3', Index: 7, Flags: 3 },
        { Verb: 'cas', Key: 'config/b', Value: 'MQ==', Index: 0, Flags: 0 },
      ],
    ]);
    expect(asked).toEqual(['Apply 2 changes?', 'Apply 2 changes?']);
  });

  it('import says what one change is, and shows no secret', async () => {
    has({ 'config/a': 'old' });
    write({ pin: '1234' });
    expect(await config(['import', folder, '--yes', '--secret', 'pin'])).toBe(0);
    expect([out, err]).toEqual(['+ config/pin: (secret)\n', '1 change: 1 to create\nApplied 1 change.\n']);
  });

  it('import deletes with --prune only, what is still as it was', async () => {
    has({ 'config/a': '1', 'config/gone': 'x', 'config/folder/': '' }, 'config/', 3);
    write({ a: '1\n' });
    expect(await config(['import', folder, '--yes'])).toBe(0);
    expect([out, err, transactions()]).toEqual(['', 'No differences.\n', []]);
    expect(await config(['import', folder, '--yes', '--prune'])).toBe(0);
    expect([out, err]).toEqual(['- config/gone: "x"\n', '1 change: 1 to delete\nApplied 1 change.\n']);
    expect(transactions()).toEqual([[{ Verb: 'delete-cas', Key: 'config/gone', Index: 7 }]]);
  });

  it('reads and writes below another prefix', async () => {
    has({ 'teams/shop/a': '1', 'teams/shop/.b': '2' }, 'teams/shop/');
    write({ a: '2' });
    expect(await config(['diff', folder, '--prefix', 'teams/shop'])).toBe(1);
    expect(out).toBe('~ teams/shop/a: "1" → "2"\n');
    has({ 'teams/shop/a': '1' }, 'teams/shop/');
    expect(await config(['export', join(folder, 'x'), '--prefix', 'teams/shop'])).toBe(0);
    expect(readFileSync(join(folder, 'x/a'), 'utf8')).toBe('1\n');
    expect(err).toBe(`${join(folder, 'x')}: 1 files written, 0 as they were\n`);
  });

  it('import refuses a folder that holds the prefix, but not one with another of its name deeper', async () => {
    has({});
    write({ 'config/a': '1', b: '1' });
    expect(await config(['import', folder, '--yes'])).toBe(2);
    expect(err).toContain(`use ${folder}/config, or another --prefix`);
    rmSync(join(folder, 'config'), { recursive: true });
    write({ 'app/config/a': '1' });
    expect(await config(['diff', folder])).toBe(1);
  });

  it('import writes a value that is too large for a transaction by itself', async () => {
    has({});
    const large = 'x'.repeat(500_000);
    write({ a: '1', large });
    const writes: string[] = [];
    agent.answers['/v1/kv/config/large'] = (url: string) => {
      writes.push(url);
      return true;
    };
    expect(await config(['import', folder, '--yes'])).toBe(0);
    expect(transactions()).toEqual([[expect.objectContaining({ Key: 'config/a' })]]);
    expect(writes).toEqual(['/v1/kv/config/large?cas=0&flags=0']);
    expect(agent.requests.find(({ method, url }) => method === 'PUT' && url.includes('large'))?.body).toEqual(
      Buffer.from(large),
    );
    agent.answers['/v1/kv/config/large'] = false;
    expect(await config(['import', folder, '--yes'])).toBe(2);
    expect(err).toContain(
      'changed by another writer meanwhile: config/large. 1 of 2 keys were changed before. Run diff again',
    );
  });

  it('import says what was changed before it failed', async () => {
    has({});
    write({ a: '1', b: '2' });
    const errors = [{ OpIndex: 1, What: 'failed index check for key "config/b", current modify index 9' }];
    agent.answers['/v1/txn'] = () => Response.json({ Results: null, Errors: errors }, { status: 409 });
    expect(await config(['import', folder, '--yes'])).toBe(2);
    expect(err).toMatch(
      /changed by another writer meanwhile: config\/b\. Nothing was changed\. Run diff again/,
    );
    const refused = [{ OpIndex: 0, What: 'Permission denied' }];
    agent.answers['/v1/txn'] = () => Response.json({ Results: null, Errors: refused }, { status: 409 });
    expect(await config(['import', folder, '--yes'])).toBe(2);
    expect(err).toMatch(/\nNothing was changed\.\nrookery: .*Permission denied/s);
    agent.answers['/v1/txn'] = 500;
    expect(await config(['import', folder, '--yes'])).toBe(2);
    expect(err).toMatch(
      /\n0 of 2 keys were changed before; whether 2 more were is not known: run diff\.\nrookery: PUT .*500/s,
    );
  });

  it('import stops between two transactions when it is interrupted', async () => {
    has({});
    write(Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`k${n}`, 'x'])));
    const stopping = new AbortController();
    agent.answers['/v1/txn'] = () => {
      setImmediate(() => stopping.abort(new Error('SIGINT')));
      return { Results: [], Errors: null };
    };
    expect(await config(['import', folder, '--yes'], { signal: stopping.signal })).toBe(2);
    expect(transactions().map(({ length }) => length)).toEqual([64]);
    expect(err).not.toContain('rookery:');
  });

  it('import --dry-run only shows, and nobody can be asked without a terminal', async () => {
    has({});
    write({ a: '1' });
    expect(await config(['import', folder, '--dry-run'])).toBe(0);
    expect([out, transactions()]).toEqual(['+ config/a: "1"\n', []]);
    expect(await config(['import', folder])).toBe(2);
    expect(err).toContain('nothing was changed: pass --yes to apply it without a question');
  });

  it('diff names hidden files, and finds an empty folder wrong', async () => {
    has({});
    write({ '.env': 'x' });
    expect(await config(['diff', folder])).toBe(2);
    expect(err).toBe(`left out, hidden: ${join(folder, '.env')}\nrookery: ${folder} has no files\n`);
  });

  it('export writes a file for each key that can be one, for its owner only', async () => {
    has({ 'config/a/b': 'x', 'config/c.yml': 'a: 1', 'config/folder/': '' });
    const target = join(folder, 'to');
    expect(await config(['export', target])).toBe(0);
    expect([readFileSync(join(target, 'a/b'), 'utf8'), readFileSync(join(target, 'c.yml'), 'utf8')]).toEqual([
      ...['x\n', 'a: 1'],
    ]);
    expect([existsSync(join(target, 'folder')), statSync(join(target, 'a/b')).mode & 0o777]).toEqual([
      ...[false, 0o600],
    ]);
    expect(err).toBe(`${target}: 2 files written, 0 as they were\n`);
    has({ 'config/a/b': 'x', 'config/c.yml': 'a: 2', 'config/token': 'y' });
    expect(await config(['export', target])).toBe(2);
    expect(err).toContain(`${target} has other contents of c.yml; --force overwrites them`);
    expect(await config(['export', target, '--force'])).toBe(0);
    expect(err).toBe(
      `${target}: 2 files written, 1 as they were\nSome of them are secrets: keep the folder out of version control.\n`,
    );
    expect(readFileSync(join(target, 'c.yml'), 'utf8')).toBe('a: 2');
  });

  it('export names five of the files that have other contents', async () => {
    const values = (value: string, count: number): void =>
      has(Object.fromEntries(Array.from({ length: count }, (_, n) => [`config/k${n}`, value])));
    values('x', 6);
    expect(await config(['export', folder])).toBe(0);
    values('y', 5);
    expect(await config(['export', folder])).toBe(2);
    expect(err).toContain('other contents of k0, k1, k2, k3, k4; --force');
    values('y', 6);
    expect(await config(['export', folder])).toBe(2);
    expect(err).toContain('other contents of k0, k1, k2, k3, k4, …; --force');
  });

  it.each([
    ['config/a//b', 'cannot be a file'],
    ['config/./b', 'cannot be a file'],
    ['config/a/../b', 'cannot be a file'],
    ['config/a/b\\c', 'cannot be a file'],
    ['config/a:b', 'cannot be a file'],
    ['config/a/.b', 'would be a hidden file'],
  ])('export refuses the key %s', async (key, reason) => {
    has({ 'config/x': '1', [key]: '1' });
    const target = join(folder, 'to');
    expect(await config(['export', target])).toBe(2);
    expect(err).toContain(`the key ${JSON.stringify(key)} ${reason}`);
    expect(existsSync(target)).toBe(false);
  });

  it.each([
    ['x', 'x/y', 'x', 'x/y'],
    ['a/b', 'a/b/c/d', 'a/b', 'a/b/c/d'],
  ])('export refuses %s beside %s, which cannot both be files', async (first, second, parent, below) => {
    has({ [`config/${first}`]: '1', [`config/${second}`]: '1' });
    expect(await config(['export', join(folder, 'to')])).toBe(2);
    expect(err).toContain(`the keys config/${parent} and config/${below} cannot both be files`);
  });

  it('reads a single key instead of an empty tree, to see whether it may', async () => {
    has({});
    write({ a: '1' });
    expect(await config(['diff', folder])).toBe(1);
    expect(agent.asked).toEqual(['/v1/kv/config/?recurse=', '/v1/kv/config/']);
    has({ 'config/a': '1' });
    expect(await config(['diff', folder])).toBe(0);
    expect(agent.asked).toEqual(['/v1/kv/config/?recurse=']);
  });
});
