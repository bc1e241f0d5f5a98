import { describe, expect, it } from '@jest/globals';
import { parseConfigPath } from './config-path.js';
import { SecretPaths } from './secret-paths.js';

describe('SecretPaths', () => {
  const secrets = new SecretPaths(['database.url', 'tenants.*.pin', 'servers[0].pin']);

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
    ['compass', false],
    ['db.pass', true],
    ['smtpPass', true],
    ['dbPwd', true],
    ['jwt.signingKey', true],
    ['servers[0].pin', true],
    ['servers.0.pin', true],
    ['limits.rate', false],
  ])('%s: %s', (path, isSecret) => {
    expect(secrets.isSecret(parseConfigPath(path))).toBe(isSecret);
  });
});
