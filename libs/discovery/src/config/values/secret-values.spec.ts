import { describe, expect, it } from '@jest/globals';
import { SecretPaths } from '../secret-paths.js';
import { SecretValues } from './secret-values.js';

describe('SecretValues', () => {
  const values = {
    db: { password: 'hunter2', url: 'pg://h' },
    servers: [{ pin: 'hunter2-and-more' }],
    short: { token: 'ab' },
    quoted: { secret: 'a"b c/d' },
  };
  const secrets = new SecretValues(values, new SecretPaths(['servers[0].pin']));

  it('replaces secrets at every depth, and in values that were made of them', () => {
    expect(
      secrets.redact([], {
        ...values,
        dsn: 'pg://u:hunter2@h',
        at: new Date(0),
        u: new URL('http://u:hunter2@h/'),
      }),
    ).toEqual({
      db: { password: '(secret)', url: 'pg://h' },
      servers: [{ pin: '(secret)' }],
      short: { token: '(secret)' },
      quoted: { secret: '(secret)' },
      dsn: 'pg://u:(secret)@h',
      at: new Date(0),
      u: 'http://u:(secret)@h/',
    });
    expect(secrets.redact(['db'], values.db)).toEqual({ password: '(secret)', url: 'pg://h' });
    expect(secrets.redact(['none', 'password'], undefined)).toBeUndefined();
    class Pool {
      readonly own = 'hunter2';
    }
    expect(secrets.redact(['pool'], new Pool())).toBe('(Pool)');
  });

  it('takes a secret with half of a surrogate pair', () => {
    const half = new SecretValues({ password: 'hunter\uD83D2' }, new SecretPaths());
    expect(half.redact([], { url: 'hunter\uD83D2@h' })).toEqual({ url: '(secret)@h' });
  });

  it('replaces what a schema has made of them', () => {
    const pin = new SecretValues({ pin: { token: '12345678' } }, new SecretPaths());
    const made = {
      number: 12345678,
      list: [12345678],
      byKey: { 12345678: 1 },
      basic: Buffer.from('12345678').toString('base64'),
      rate: 5,
    };
    expect(pin.redact([], made)).toEqual({
      number: '(secret)',
      list: ['(secret)'],
      byKey: { '(secret)': 1 },
      basic: '(secret)',
      rate: 5,
    });
  });

  it('finds them in messages, as they are, in JSON and in a URL', () => {
    expect(secrets.redactText('bad {"password":"hunter2","pin":"hunter2-and-more"}')).toBe(
      'bad {"password":"(secret)","pin":"(secret)"}',
    );
    expect(secrets.redactText(JSON.stringify(values.quoted))).toBe('{"secret":"(secret)"}');
    expect(secrets.redactText(`?q=${encodeURIComponent(values.quoted.secret)}`)).toBe('?q=(secret)');
  });
});
