import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, TestCertificates } from '@rookery/test-support';
import { CertificateFiles } from './certificate-files.js';
import { toTlsOptions } from './tls-settings.js';

describe('certificates in files', () => {
  let first: TestCertificates;
  let second: TestCertificates;
  let folder: string;
  let clock: FakeClock;
  let warnings: string[];
  const warn = (message: string): void => void warnings.push(message);
  const paths = () => ({
    caFile: join(folder, 'ca.pem'),
    certFile: join(folder, 'client.pem'),
    keyFile: join(folder, 'client-key.pem'),
  });
  const put = (from: TestCertificates, ...names: readonly ('ca' | 'client' | 'client-key')[]): void => {
    // As by a tool that replaces a file at once.
    for (const name of names) {
      copyFileSync(from.file(name), join(folder, 'new'));
      renameSync(join(folder, 'new'), join(folder, `${name}.pem`));
    }
  };

  beforeAll(async () => {
    [first, second] = await Promise.all([TestCertificates.create('a'), TestCertificates.create('b')]);
    folder = mkdtempSync(join(tmpdir(), 'rookery-files-'));
  });
  afterAll(() => {
    for (const each of [first, second]) each.remove();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    clock = new FakeClock();
    warnings = [];
    put(first, 'ca', 'client', 'client-key');
  });

  it('are the same object until a file changes, and are looked at once a second', async () => {
    const source = new CertificateFiles(paths(), { clock, warn });
    const before = source.current();
    expect(before.ca).toEqual([readFileSync(first.file('ca'), 'utf8')]);
    expect(inspect(before)).not.toContain('PRIVATE KEY');
    await clock.advance(5_000);
    expect(source.current()).toBe(before);
    put(second, 'ca', 'client', 'client-key');
    expect(source.current()).toBe(before);
    await clock.advance(1_000);
    expect(source.current().ca).toEqual([readFileSync(second.file('ca'), 'utf8')]);
    const settings = { serverName: undefined, verify: true };
    expect(toTlsOptions(settings, source.current()).key).toBe(
      readFileSync(second.file('client-key'), 'utf8'),
    );
    expect(warnings).toEqual([]);
  });

  it('stay in use while a certificate and its key do not fit, with one warning', async () => {
    const source = new CertificateFiles(paths(), { clock, warn });
    const before = source.current();
    put(second, 'client');
    for (let n = 0; n < 3; n++) {
      await clock.advance(1_000);
      expect(source.current()).toBe(before);
    }
    expect(warnings).toEqual([
      expect.stringMatching(/the last ones stay in use: .*client\.pem.*key values mismatch/),
    ]);
    put(second, 'client-key');
    await clock.advance(1_000);
    expect(source.current().cert).toBe(readFileSync(second.file('client'), 'utf8'));
  });

  it.each([
    ['is missing', (path: string): void => rmSync(path)],
    ['is empty', (path: string): void => writeFileSync(path, '')],
    ['is half written', (path: string): void => writeFileSync(path, '-----BEGIN CERTIFICATE-----\nMIIB')],
  ])('stay in use while a file %s', async (_, spoil) => {
    const source = new CertificateFiles(paths(), { clock, warn });
    const before = source.current();
    spoil(paths().certFile);
    await clock.advance(1_000);
    expect(source.current()).toBe(before);
    expect(warnings).toHaveLength(1);
    put(first, 'client');
    await clock.advance(1_000);
    expect(source.current().cert).toBe(before.cert);
  });

  it.each([
    ['half written', (content: string) => content.slice(0, content.length / 2), /is not complete/],
    ['damaged', (content: string) => content.replace(/M[A-Za-z]{3}/, '!!!!'), /cannot be read/],
    ['no authority', () => first.pem('client-key'), /has no certificate of an authority/],
  ])('stay in use while the authorities are %s', async (_, spoil, problem) => {
    const source = new CertificateFiles(paths(), { clock, warn });
    const before = source.current();
    writeFileSync(paths().caFile, spoil(first.pem('ca')));
    await clock.advance(1_000);
    expect(source.current()).toBe(before);
    expect(warnings).toEqual([expect.stringMatching(problem)]);
    expect(() => new CertificateFiles(paths(), { clock, warn })).toThrow(problem);
  });

  it('of several authorities come from a directory', async () => {
    const caPath = join(folder, 'authorities');
    mkdirSync(caPath);
    copyFileSync(first.file('ca'), join(caPath, 'a.pem'));
    const source = new CertificateFiles({ caPath }, { clock, warn });
    expect(source.current().ca).toHaveLength(1);
    copyFileSync(second.file('ca'), join(caPath, 'b.pem'));
    await clock.advance(1_000);
    expect(source.current().ca).toHaveLength(2);
  });

  it('that cannot be used at the start are an error', () => {
    put(second, 'client');
    expect(() => new CertificateFiles(paths(), { clock, warn })).toThrow(/key values mismatch/);
    expect(() => new CertificateFiles({ caFile: join(folder, 'none') }, { clock, warn })).toThrow(/ENOENT/);
  });
});
