import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
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

  it('ends at Ctrl-C while it reads its input', async () => {
    const putting = startCommand(['config', 'put', 'config/a', '-'], consul.url, 'x'.repeat(400_000), false);
    await putting.taken;
    putting.interrupt();
    expect(await putting.ended).toEqual({ code: 2, out: '', err: '' });
    expect((await rookery('get', 'config/a')).code).toBe(1);
  });

  it('puts, gets and watches keys', async () => {
    expect(await rookery('put', 'config/a', '1')).toMatchObject({ code: 0, out: '' });
    expect(
      await startCommand(['config', 'put', 'config/b', '-'], consul.url, 'from\nstdin').ended,
    ).toMatchObject({
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
      err: `${other}: 5 files written, 0 as they were\nSome of them are secrets: keep the folder out of version control.\n`,
    });
    expect(readFileSync(join(other, 'inventory/limits/rate'), 'utf8')).toBe('200\n');
    expect(statSync(join(other, 'inventory/limits/rate')).mode & 0o777).toBe(0o600);
    expect(await rookery('diff', other, '--prune')).toMatchObject({ code: 0, out: '' });
    // Into an empty Consul everything comes back as it was, line breaks included.
    const before = await stored();
    await client.kv.deleteTree('config/');
    expect(await rookery('import', other, '--yes')).toMatchObject({ code: 0 });
    expect(await stored()).toEqual(before);
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
        out: expect.stringMatching(
          /^there are no keys below .*config\/inventory,prod\/; is the name right\?\nlimits\.rate: limits\.rate is missing: must be a number\n$/,
        ) as unknown,
      });
      await rookery('import', folder, '--yes');
      expect(await rookery('check', ...args)).toMatchObject({ code: 0 });
    });

    it('takes what consulConfig returned, with its defaults', async () => {
      const settings = join(dirname(file), 'settings.mjs');
      const entry = pathToFileURL(
        fileURLToPath(new URL('../../libs/consul/dist/config.js', import.meta.url)),
      ).href;
      writeFileSync(
        settings,
        `import { consulConfig } from '${entry}';\nimport schema from './schema.mjs';\nexport const settings = consulConfig({ name: 'inventory', schema, defaults: { limits: { rate: 1 } } });\n`,
      );
      write({ 'inventory/other': '1' });
      expect(await rookery('check', folder, '--settings', settings)).toMatchObject({ code: 0, out: '' });
      await rookery('import', folder, '--yes');
      expect(await rookery('check', '--settings', settings)).toMatchObject({ code: 0, out: '' });
      write({ 'inventory/limits/rate': 'fast' });
      expect(await rookery('check', folder, '--settings', settings)).toMatchObject({ code: 1 });
      expect(await rookery('check', folder, '--settings', `${settings}#setting`)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/no export "setting"; is it settings\?/) as unknown,
      });
      expect(await rookery('check', folder, '--schema', `${settings}#settings`)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/is what consulConfig\(\.\.\.\) returned: use --settings/) as unknown,
      });
      expect(await rookery('check', folder, '--settings', settings, '--name', 'x')).toMatchObject({
        code: 2,
        err: expect.stringMatching(/--name has no effect together with --settings/) as unknown,
      });
      expect(await rookery('check', folder, '--settings', file)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/no export "settings"; it has default, other/) as unknown,
      });
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
    const outside = join(folder, 'outside');
    mkdirSync(outside);
    // A link to a folder, a link to nothing, and a folder in the place of a file.
    symlinkSync(outside, join(target, 'x'));
    expect(await rookery('export', target)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/target\/x is no folder; remove it/) as unknown,
    });
    rmSync(join(target, 'x'));
    mkdirSync(join(target, 'x'));
    symlinkSync(join(outside, 'evil'), join(target, 'x/y'));
    expect(await rookery('export', target, '--force')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/x\/y is no file; remove it/) as unknown,
    });
    rmSync(join(target, 'x/y'));
    mkdirSync(join(target, 'x/y'));
    expect(await rookery('export', target)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/x\/y is no file/) as unknown,
    });
    expect(readdirSync(outside)).toEqual([]);
  });

  it('refuses a folder that holds the prefix, a file that is too large, and keeps the flags of keys', async () => {
    write({ 'config/a': '1' });
    expect(await rookery('diff', folder)).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /has a folder config, so that keys would begin with config\/config\//,
      ) as unknown,
    });
    rmSync(join(folder, 'config'), { recursive: true });
    write({ a: 'x'.repeat(600_000) });
    expect(await rookery('diff', folder)).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /config\/a: the file has 600000 bytes, and Consul takes at most 524288/,
      ) as unknown,
    });
    write({ a: '2', 'db/password': 'x' });
    await client.kv.put('config/a', '1', { flags: 7 });
    expect(await rookery('import', folder, '--yes')).toMatchObject({ code: 0 });
    expect((await client.kv.get('config/a')).body).toMatchObject({ flags: 7, value: Buffer.from('2') });
    // It is too large for a transaction.
    write({ a: 'x'.repeat(500_000) });
    expect(await rookery('import', folder, '--yes')).toMatchObject({ code: 0 });
    expect((await client.kv.get('config/a')).body).toMatchObject({ flags: 7 });
    expect(await rookery('export', join(folder, 'out'))).toMatchObject({
      code: 0,
      err: expect.stringMatching(/Some of them are secrets/) as unknown,
    });
    expect(await rookery('delete', 'config/a')).toMatchObject({ code: 0 });
    expect(await rookery('delete', 'config/a')).toMatchObject({ code: 1 });
  });
});

describe('the rookery command with ACLs', () => {
  it('says that the token may not read, where Consul shows an empty tree', async () => {
    const management = randomUUID();
    const consul = await startTestConsul({ token: management });
    await consul.request('PUT', '/v1/kv/config/shop/a', '1');
    const folder = mkdtempSync(join(tmpdir(), 'rookery-cli-'));
    writeFileSync(join(folder, 'a'), '1');
    for (const args of [
      ['check', '--name', 'shop'],
      ['diff', folder],
      ['export', join(folder, 'out')],
    ]) {
      const { code, err } = await runCommand(['config', ...args], consul.url, { CONSUL_HTTP_TOKEN: '' });
      expect([args[0], code]).toEqual([args[0], 2]);
      expect(err).toMatch(/Permission denied.*CONSUL_HTTP_TOKEN/s);
    }
    rmSync(folder, { recursive: true });
    await consul.stop();
  });
});
