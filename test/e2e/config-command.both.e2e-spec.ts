import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsulClient } from '@rookery/consul';
import { eventually, startTestConsul, type TestConsul } from '@rookery/test-support';
import { FaultProxy } from '../faults/fault-proxy.js';
import { runCommand, startCommand, type CommandResult } from './command-line.js';

describe('the rookery command', () => {
  let consul: TestConsul;
  let client: ConsulClient;
  let folder: string;

  const rookery = (...args: string[]): Promise<CommandResult> => runCommand(['config', ...args], consul.url);
  const write = (files: Record<string, string>): void => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
  };
  const stored = async (): Promise<Record<string, string>> =>
    Object.fromEntries(
      (await client.kv.list('config/')).body.map(({ key, value }) => [key, value.toString('utf8')]),
    );

  beforeAll(async () => {
    consul = await startTestConsul();
    client = ConsulClient.create({ url: consul.url });
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-cli-'));
    await client.kv.deleteTree('');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  afterAll(async () => {
    await client.close();
    await consul.stop();
  });

  it('puts, gets and watches keys', async () => {
    expect(await rookery('put', 'config/a', '1')).toMatchObject({ code: 0, out: '' });
    expect(await runCommand(['config', 'put', 'config/b', '-'], consul.url, 'from\nstdin')).toMatchObject({
      code: 0,
    });
    expect(await rookery('get', 'config/b')).toEqual({ code: 0, out: 'from\nstdin', err: '' });
    expect(await rookery('get', 'config/none')).toMatchObject({
      code: 1,
      out: '',
      err: 'there is no key config/none\n',
    });
    const watching = startCommand(['config', 'watch', 'config/'], consul.url);
    await eventually(() => watching.result.out.includes('+ config/b'));
    await client.kv.put('config/a', '2');
    await client.kv.put('config/db/password', 'hunter2');
    await client.kv.delete('config/b');
    await eventually(() => watching.result.out.includes('- config/b'));
    watching.interrupt();
    const { code, out } = await watching.ended;
    expect(code).toBe(0);
    expect(out.split('\n').sort()).toEqual(
      [
        '',
        '+ config/a: "1"',
        '+ config/b: 10 bytes',
        '+ config/db/password: (secret)',
        '- config/b: 10 bytes',
        '~ config/a: "1" → "2"',
      ].sort(),
    );
  });

  it('shows what an import would change, applies it, and exports it again without a difference', async () => {
    await client.kv.put('config/inventory/limits/rate', '100');
    await client.kv.put('config/inventory/kept', 'x');
    await client.kv.put('config/inventory/text', 'ends\n');
    write({
      'inventory/limits/rate': '200\n',
      'inventory/db/password': 'hunter2\n',
      'inventory/text': 'ends\n',
      'inventory.yml': 'a: 1\n',
      '.git/HEAD': 'x',
    });
    const different = await rookery('diff', folder);
    expect(different.code).toBe(1);
    expect(different.out).toBe(
      '+ config/inventory/db/password: (secret)\n~ config/inventory/limits/rate: "100" → "200"\n+ config/inventory.yml: 5 bytes\n',
    );
    expect(different.err).toMatch(/left out, hidden: .*\.git\n3 changes: 2 to create, 1 to update\n/);
    expect(await rookery('import', folder)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/pass --yes to apply/) as unknown,
    });
    expect(await rookery('import', folder, '--dry-run')).toMatchObject({ code: 0, out: different.out });
    expect(await stored()).toMatchObject({ 'config/inventory/limits/rate': '100' });
    expect(await rookery('import', folder, '--yes')).toMatchObject({
      code: 0,
      err: expect.stringMatching(/Applied 3 changes/) as unknown,
    });
    expect(await stored()).toEqual({
      'config/inventory.yml': 'a: 1\n',
      'config/inventory/db/password': 'hunter2',
      'config/inventory/kept': 'x',
      'config/inventory/limits/rate': '200',
      'config/inventory/text': 'ends\n',
    });
    expect(await rookery('diff', folder)).toMatchObject({ code: 0, out: '' });
    expect(await rookery('diff', folder, '--prune')).toMatchObject({
      code: 1,
      out: '- config/inventory/kept: "x"\n',
    });
    const other = join(folder, 'exported');
    expect(await rookery('export', other)).toMatchObject({
      code: 0,
      err: `${other}: 5 files written, 0 as they were\n`,
    });
    expect(readFileSync(join(other, 'inventory/limits/rate'), 'utf8')).toBe('200');
    expect(await rookery('diff', other, '--prune')).toMatchObject({ code: 0, out: '' });
    writeFileSync(join(other, 'inventory/kept'), 'edited');
    expect(await rookery('export', other)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/other contents of inventory\/kept; --force/) as unknown,
    });
    expect(await rookery('export', other, '--force')).toMatchObject({ code: 0 });
    expect(await rookery('import', other, '--prune', '--yes')).toMatchObject({
      code: 0,
      err: 'No differences.\n',
    });
  });

  it('imports hundreds of keys in transactions of up to 64, and a value that is too large for any', async () => {
    write(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`many/k${n}`, String(n)])));
    write({ 'many/large': 'x'.repeat(500_000) });
    const proxy = await FaultProxy.start(consul.url);
    try {
      const imported = await runCommand(['config', 'import', folder, '--yes'], proxy.url);
      expect(imported).toMatchObject({ code: 0 });
      const writes = proxy.requests
        .filter(({ what }) => what.startsWith('PUT'))
        .map(({ what }) => what.split('?')[0]);
      expect(writes).toEqual([...Array<string>(5).fill('PUT /v1/txn'), 'PUT /v1/kv/config/many/large']);
      expect(Object.keys(await stored())).toHaveLength(301);
    } finally {
      await proxy.stop();
    }
  });

  it('stops at a key that another writer has changed meanwhile, and says what was applied', async () => {
    write(
      Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`k${String(n).padStart(3, '0')}`, 'mine'])),
    );
    const proxy = await FaultProxy.start(consul.url);
    try {
      let lists = 0;
      proxy.fault = (path) => {
        if (path.startsWith('/v1/txn') && lists++ === 0)
          void consul.request('PUT', '/v1/kv/config/k070', 'theirs');
        return path.startsWith('/v1/txn') ? { delay: 300 } : undefined;
      };
      const imported = await runCommand(['config', 'import', folder, '--yes'], proxy.url);
      expect(imported.code).toBe(2);
      expect(imported.err).toMatch(
        /changed by another writer meanwhile: config\/k070\. 64 of 100 keys were changed before\. Run diff again/,
      );
      expect((await stored())['config/k070']).toBe('theirs');
    } finally {
      await proxy.stop();
    }
  });

  describe('check', () => {
    const schema =
      "export default { '~standard': { version: 1, vendor: 'test', validate: (value) => typeof value.limits?.rate === 'number' ? { value } : { issues: [{ message: 'must be a number', path: ['limits', 'rate'] }] } } };\nexport const other = 5;\n";
    let file: string;
    beforeEach(() => {
      const own = mkdtempSync(join(tmpdir(), 'rookery-schema-'));
      file = join(own, 'schema.mjs');
      writeFileSync(file, schema);
    });
    afterEach(() => rmSync(dirname(file), { recursive: true }));

    it('reads a folder, or Consul, as the app would', async () => {
      write({ 'application/limits/rate': '1\n', 'inventory,prod/limits/rate': 'fast\n' });
      const args = ['--name', 'inventory', '--profile', 'prod', '--schema', file];
      const wrong = await rookery('check', folder, ...args);
      expect(wrong).toMatchObject({
        code: 1,
        out: 'config/inventory,prod/limits/rate: limits.rate = "fast": must be a number\n',
      });
      expect(wrong.err).toMatch(
        /config\/application\/: 1 key\nconfig\/application,prod\/: 0 keys\n.*config\/inventory,prod\/: 1 key\n1 problem/s,
      );
      write({ 'inventory,prod/limits/rate': '5' });
      expect(await rookery('check', folder, ...args)).toMatchObject({ code: 0, out: '' });
      expect(await rookery('check', ...args)).toMatchObject({
        code: 1,
        out: 'limits.rate: limits.rate is missing: must be a number\n',
      });
      await rookery('import', folder, '--yes');
      expect(await rookery('check', ...args)).toMatchObject({ code: 0 });
    });

    it('names broken documents, ignored files and wrong options', async () => {
      write({ 'inventory.yml': 'a: [1', 'inventory.yal': 'x', 'inventory-prod.json': '{}' });
      const args = ['check', folder, '--name', 'inventory', '--profile', 'prod', '--format', 'files'];
      expect(await rookery(...args)).toMatchObject({
        code: 1,
        out: expect.stringMatching(/^config\/inventory\.yml: not valid YAML at line 1/) as unknown,
        err: expect.stringMatching(/ignored: config\/inventory\.yal/) as unknown,
      });
      expect(await rookery('check', folder, '--format', 'toml')).toMatchObject({
        code: 2,
        err: expect.stringMatching(/format = "toml": must be/) as unknown,
      });
      expect(await rookery(...args, '--schema', `${file}#none`)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/no export "none"; it has default, other/) as unknown,
      });
      expect(await rookery(...args, '--schema', `${file}#other`)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/schema = 5: must be a Standard Schema/) as unknown,
      });
      expect(await rookery(...args, '--schema', './none.mjs')).toMatchObject({
        code: 2,
        err: expect.stringMatching(/--schema \.\/none\.mjs: Cannot find/) as unknown,
      });
    });
  });

  it('refuses files that cannot be keys, keys that cannot be files, and links', async () => {
    expect(await rookery('diff', folder)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/has no files/) as unknown,
    });
    write({ a: '1' });
    symlinkSync('/etc/passwd', join(folder, 'link'));
    expect(await rookery('diff', folder)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/link is neither a file nor a folder/) as unknown,
    });
    await client.kv.put('config/x', '1');
    await client.kv.put('config/x/y', '1');
    const target = join(folder, 'target');
    expect(await rookery('export', target)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/config\/x and config\/x\/y cannot both be files/) as unknown,
    });
    await client.kv.delete('config/x');
    mkdirSync(target);
    symlinkSync(tmpdir(), join(target, 'x'));
    expect(await rookery('export', target)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/is outside of/) as unknown,
    });
  });
});
