import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordingLogger, TestCertificates } from '@rookery/test-support';
import { z } from 'zod';
import { validateOptions } from '../../configuration/validate-options.js';
import { connectionSettings, connectionShape } from './connection-options.js';

describe('the connections of HTTP clients', () => {
  let certificates: TestCertificates;
  let caFile: string;
  let certFile: string;
  let keyFile: string;
  let logger: RecordingLogger;
  beforeAll(async () => {
    certificates = await TestCertificates.create();
    caFile = certificates.file('ca');
    certFile = certificates.file('client');
    keyFile = certificates.file('client-key');
  });
  afterAll(() => certificates.remove());
  beforeEach(() => {
    logger = new RecordingLogger();
    Logger.overrideLogger(logger);
  });
  afterEach(() => {
    Logger.overrideLogger(new ConsoleLogger());
  });

  const issues = (options: unknown): string[] =>
    validateOptions(z.strictObject(connectionShape), options).map(({ field, hint }) => `${field}: ${hint}`);
  const source = { current: () => ({ ca: [] }) };

  it('are 64, with what Node trusts', () => {
    const defaults = connectionSettings({});
    expect(defaults).toEqual({ maxConnections: 64, tls: undefined });
    expect(connectionSettings({})).toBe(defaults);
    expect(connectionSettings({ maxConnections: 3 })).toEqual({ maxConnections: 3, tls: undefined });
  });

  it('share the files that they read, and the source of certificates that they are given', () => {
    const files = connectionSettings({ tls: { caFile, serverName: 'a' } });
    expect(files).toMatchObject({ maxConnections: 64, tls: { serverName: 'a', verify: true } });
    expect(files.tls?.certificates?.current().ca).toEqual([expect.stringContaining('BEGIN CERTIFICATE')]);
    expect(connectionSettings({ tls: { serverName: 'a', caFile } }).tls).toBe(files.tls);
    expect(connectionSettings({ tls: { serverName: 'b', caFile } }).tls).not.toBe(files.tls);
    const given = connectionSettings({ tls: { certificates: source } });
    expect(given.tls).toEqual({ certificates: source, serverName: undefined, verify: true });
    expect(connectionSettings({ tls: { certificates: source } }).tls).toBe(given.tls);
    const other = { current: () => ({ ca: [] }) };
    expect(connectionSettings({ tls: { certificates: other } }).tls?.certificates).toBe(other);
    expect(logger.lines).toEqual([]);
  });

  it('warn once of a server that is not verified', () => {
    for (let n = 0; n < 2; n++)
      connectionSettings({ tls: { caFile, verify: false, serverName: 'unverified' } });
    expect(logger.lines).toEqual([expect.stringContaining('warn clients.tls.verify is false')]);
  });

  it('say which files cannot be used', () => {
    const gone = join(dirname(caFile), 'gone.pem');
    expect(() => connectionSettings({ tls: { caFile: gone } })).toThrow(
      expect.objectContaining({
        code: 'RK_CONFIG_INVALID',
        message: expect.stringContaining(`clients.tls: the files ${gone} cannot be used`),
        hint: expect.stringContaining('ENOENT'),
        cause: expect.anything(),
      }),
    );
  });

  it('take right options', () => {
    expect(issues({})).toEqual([]);
    expect(issues({ maxConnections: 1, tls: {} })).toEqual([]);
    expect(
      issues({ maxConnections: 10_000, tls: { caFile, certFile, keyFile, serverName: 'a', verify: false } }),
    ).toEqual([]);
    expect(issues({ tls: { certificates: source, serverName: 'a' } })).toEqual([]);
  });

  it('refuse wrong ones', () => {
    const gone = join(dirname(caFile), 'gone.pem');
    const empty = join(dirname(caFile), 'empty.pem');
    writeFileSync(empty, '');
    const both = /has both files and a source of certificates/;
    const pair = /a client certificate needs both certFile and keyFile/;
    for (const [options, expected] of [
      [{ maxConnections: 0 }, /^maxConnections:/],
      [{ maxConnections: 10_001 }, /^maxConnections:/],
      [{ tls: true }, /^tls: must be an object such as/],
      [{ tls: { caFile: gone } }, /^tls.caFile: must be a readable PEM file, but it does not exist/],
      [{ tls: { caFile: dirname(caFile) } }, /^tls.caFile: must be a readable PEM file, but EISDIR/],
      [{ tls: { caFile: empty } }, /^tls.caFile: must be a readable PEM file, but it is no PEM file/],
      [{ tls: { certFile } }, pair],
      [{ tls: { keyFile } }, pair],
      [{ tls: { certificates: source, caFile } }, both],
      [{ tls: { certificates: source, certFile, keyFile } }, both],
      [{ tls: { certificates: {} } }, /^tls.certificates: must be a source of certificates/],
      [{ tls: { certificates: null } }, /^tls.certificates: must be a source of certificates/],
      [{ tls: { serverName: '' } }, /^tls.serverName: must be a name/],
      [{ tls: { verify: 'no' } }, /^tls.verify: must be true or false/],
    ] as const)
      expect(issues(options)).toEqual([expect.stringMatching(expected)]);
    rmSync(empty);
  });
});
