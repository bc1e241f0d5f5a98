import { describe, expect, it } from '@jest/globals';
import { parseConfigPath } from './config-path.js';
import { SecretPaths } from './secret-paths.js';

describe('SecretPaths', () => {
  const secrets = new SecretPaths(['database.url', 'tenants.*.pin']);

  it.each([
    ['db.password', true],
    ['DB_PASSWD', true],
    ['stripe.apiKey', true],
    ['auth.clientSecret.value', true],
    ['session.token', true],
    ['database.url', true],
    ['database.url.host', true],
    ['database', false],
    ['tenants.a.pin', true],
    ['tenants.a.name', false],
    ['author', false],
    ['limits.rate', false],
  ])('%s: %s', (path, isSecret) => {
    expect(secrets.isSecret(parseConfigPath(path))).toBe(isSecret);
  });

  it('replaces secrets at every depth', () => {
    const value = { database: { url: 'x', pool: 5 }, list: [{ password: 'p', a: 1 }] };
    expect(secrets.redact([], value)).toEqual({
      database: { url: '(secret)', pool: 5 },
      list: [{ password: '(secret)', a: 1 }],
    });
    expect(secrets.with([['list']]).redact([], value)).toMatchObject({ list: '(secret)' });
  });
});
