import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, FakeAgent, FakeTerminal } from '@rookery/test-support';
import { consulConfig } from '../config/consul-config.factory.js';
import { run } from './run.js';

describe('config check', () => {
  const shared = globalThis as { settingsOfTest?: unknown };
  let agent: FakeAgent;
  let folder: string;
  let out: string;
  let err: string;

  beforeEach(async () => {
    agent = await FakeAgent.start();
    folder = mkdtempSync(join(tmpdir(), 'rookery-check-'));
  });
  afterEach(() => {
    agent.stop();
    rmSync(folder, { recursive: true });
    delete shared.settingsOfTest;
  });
  const check = async (args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<number> => {
    agent.requests.length = 0;
    const terminal = new FakeTerminal({ CONSUL_HTTP_ADDR: agent.url, ...environment });
    const code = await run(['config', 'check', ...args], terminal);
    ({ out, err } = terminal);
    return code;
  };
  const write = (files: Record<string, string>): void => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
  };
  /** A file of code, outside the folder that is read. */
  const code = (name: string, text: string): string => {
    write({ [`.code/${name}`]: text });
    return join(folder, '.code', name);
  };
  const SCHEMA = `{ '~standard': {
    version: 1, vendor: 'test',
    validate: (value) => typeof value.rate === 'number' ? { value: { rate: value.rate } } : { issues: [{ message: 'must be a number', path: ['rate'] }] },
  } }`;

  it('counts the keys and the problems', async () => {
    write({ 'application/a': '1', 'web/b': '1', 'web/c': '2' });
    expect(await check([folder, '--name', 'web'])).toBe(0);
    expect([out, err]).toEqual(['', 'config/application/: 1 key\nconfig/web/: 2 keys\nok\n']);
    write({ 'web/rate': 'fast' });
    const schema = code('one.mjs', `export default ${SCHEMA};`);
    expect(await check([folder, '--name', 'web', '--schema', schema])).toBe(1);
    expect(out).toBe('config/web/rate: rate = "fast": must be a number\n');
    expect(err).toMatch(/\n1 problem\n$/);
    rmSync(join(folder, 'application'), { recursive: true });
    rmSync(join(folder, 'web'), { recursive: true });
    write({ 'other/x': '1' });
    expect(await check([folder, '--name', 'web', '--schema', schema])).toBe(1);
    expect(out).toMatch(
      /^there are no keys below config\/application\/, config\/web\/; is the name right\?\n/,
    );
    expect(err).toMatch(/\n2 problems\n$/);
  });

  it('names what the schema does not have, and what may have been meant', async () => {
    write({ 'web/rate': '1', 'web/rates': '2', 'web/elsewhere': '3' });
    const schema = code('one.mjs', `export default ${SCHEMA};`);
    expect(await check([folder, '--name', 'web', '--schema', schema])).toBe(0);
    expect(err).toContain('not used, since the schema has no such name: config/web/rates; there is rate\n');
    expect(err).toMatch(/no such name: config\/web\/elsewhere\n/);
  });

  it('takes the layout from its options', async () => {
    write({ 'web,prod/own.yaml': 'rate: 1', 'web/other': 'x' });
    const options = ['--name', 'web', '--profile', 'prod', '--profile', 'eu', '--prefix', 'teams/shop'];
    expect(
      await check([folder, ...options, '--format', 'yaml', '--data-key', 'own.yaml', '--order', 'profile']),
    ).toBe(0);
    expect(err.split('\n')).toEqual([
      ...['teams/shop/application/: 0 keys', 'teams/shop/web/: 1 key', '  ignored: teams/shop/web/other'],
      ...['teams/shop/application,prod/: 0 keys', 'teams/shop/web,prod/: 1 key'],
      ...['teams/shop/application,eu/: 0 keys', 'teams/shop/web,eu/: 0 keys', 'ok', ''],
    ]);
  });

  it('shows no value that is a secret', async () => {
    write({ 'web/rate': 'hunter2' });
    const schema = code('one.mjs', `export default ${SCHEMA};`);
    expect(await check([folder, '--name', 'web', '--schema', schema, '--secret', 'rate'])).toBe(1);
    expect(out).toContain('rate = (secret): ');
    expect(out + err).not.toContain('hunter2');
  });

  it('reads all trees of Consul, and closes its connections', async () => {
    const tree = (Key: string) => ({
      ...{ Key, Value: 'MQ==', Flags: 0, CreateIndex: 1, ModifyIndex: 7, LockIndex: 0 },
    });
    agent.answers['/v1/kv/config/web/'] = [tree('config/web/rate')];
    agent.answers['/v1/kv/config/application/'] = [
      tree('config/application/a'),
      tree('config/application/b'),
    ];
    expect(await check(['--name', 'web', '--datacenter', 'dc2'])).toBe(0);
    expect(err).toBe('config/application/: 2 keys\nconfig/web/: 1 key\nok\n');
    expect([...agent.asked].sort()).toEqual([
      ...['/v1/kv/config/application/?recurse=&dc=dc2', '/v1/kv/config/web/?recurse=&dc=dc2'],
    ]);
    await eventually(async () => (await agent.connections()) === 0);
  });

  describe('with the settings of an app', () => {
    const settings = (name = 'settings.mjs'): string =>
      code(name, 'export const settings = globalThis.settingsOfTest;\nexport const other = 5;\n');

    it('reads what those read, from the agent that they name', async () => {
      const elsewhere = await FakeAgent.start();
      try {
        elsewhere.answers['/v1/kv/config/web/'] = [];
        shared.settingsOfTest = consulConfig({
          name: 'web',
          datacenter: 'dc2',
          agent: { url: elsewhere.url },
        });
        expect(await check(['--settings', settings()])).toBe(1);
        expect(elsewhere.asked).toContain('/v1/kv/config/web/?recurse=&dc=dc2');
        expect(agent.asked).toEqual([]);
        expect(await check(['--settings', settings(), '--http-addr', agent.url])).toBe(1);
        expect(agent.asked).toContain('/v1/kv/config/web/?recurse=&dc=dc2');
        shared.settingsOfTest = consulConfig({ name: 'web' });
        expect(await check(['--settings', settings('of-environment.mjs')])).toBe(1);
        expect(agent.asked).toContain('/v1/kv/config/web/?recurse=');
      } finally {
        elsewhere.stop();
      }
    });

    it('takes no other options of the layout', async () => {
      shared.settingsOfTest = consulConfig({ name: 'web' });
      write({ 'web/a': '1' });
      expect(await check([folder, '--settings', settings()])).toBe(0);
      expect(await check([folder, '--settings', settings(), '--name', 'x', '--order', 'name'])).toBe(2);
      expect(err).toContain('--name, --order has no effect together with --settings');
      expect(await check([folder, '--settings', settings(), '--secret', 'a.b'])).toBe(2);
      expect(err).toContain('--secret has no effect together with --settings');
      expect(await check(['--settings', settings(), '--token-file', 'token', '--datacenter', 'dc2'])).toBe(2);
      expect(err).toContain('--token-file, --datacenter has no effect without --http-addr');
    });

    it('takes nothing that consulConfig did not return', async () => {
      shared.settingsOfTest = () => ({});
      expect(await check([folder, '--settings', settings('a.mjs')])).toBe(2);
      expect(err).toContain(
        `--settings ${join(folder, '.code/a.mjs')} is not what consulConfig(...) returns`,
      );
      shared.settingsOfTest = Object.assign(() => ({}), {
        [Symbol.for('rookery:config-source')]: { options: () => ({ names: { factory: 'etcdConfig' } }) },
      });
      expect(await check([folder, '--settings', settings('b.mjs')])).toBe(2);
      expect(err).toContain('is not what consulConfig(...) returns');
      expect(await check([folder, '--settings', `${settings('c.mjs')}#other`])).toBe(2);
      expect(err).toContain('is not what consulConfig(...) returns');
      shared.settingsOfTest = consulConfig({ name: 'web' });
      expect(await check([folder, '--schema', `${settings('d.mjs')}#settings`])).toBe(2);
      expect(err).toContain('is what consulConfig(...) returned: use --settings');
    });
  });

  it.each([
    ['settings.ts', '', 'name the built file, such as dist/settings.js'],
    ['settings.mts', '', 'name the built file, such as dist/settings.js'],
    ['none.mjs', '', 'has no export "default"; it has none'],
    ['broken.mjs', 'throw new Error("broken\\nmore")', ': broken\n'],
    ['named.mjs', 'export const defaults = 1', 'has no export "default"; is it defaults?'],
    ['others.mjs', 'export const first = 1, second = 2', 'has no export "default"; it has first, second'],
  ])('says what is wrong with %s', async (name, text, message) => {
    expect(await check([folder, '--schema', code(name, text)])).toBe(2);
    expect(err).toContain(message);
    expect(err).not.toContain('more');
  });

  it('finds an export of CommonJS, and of a name', async () => {
    write({ 'web/rate': '1' });
    const named = code('named.mjs', `export const schema = ${SCHEMA};`);
    expect(await check([folder, '--name', 'web', '--schema', `${named}#schema`])).toBe(0);
    const inner = code('inner.mjs', `export default { inner: ${SCHEMA} };`);
    expect(await check([folder, '--name', 'web', '--schema', `${inner}#inner`])).toBe(0);
  });
});
