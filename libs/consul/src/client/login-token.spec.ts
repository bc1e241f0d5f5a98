import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle, thrownBy } from '@rookery/test-support';
import type { AclLogin, LoginResult } from './api/types.js';
import { LoginTokenSource } from './login-token.js';
import type { LoginCalls } from './token-source.js';

const VALID_MS = 60_000;

/** A Consul that numbers its tokens. */
class Logins implements LoginCalls {
  readonly made: AclLogin[] = [];
  readonly deleted: string[] = [];
  failure: Error | undefined;
  /** Holds answers back. */
  pending: Promise<void> = Promise.resolve();
  validForMs: number | undefined = VALID_MS;

  async login(login: AclLogin): Promise<LoginResult> {
    this.made.push(login);
    const secret = `token-${this.made.length}`;
    await this.pending;
    if (this.failure) throw this.failure;
    return { secret, validForMs: this.validForMs };
  }

  async logout(secret: string): Promise<void> {
    this.deleted.push(secret);
  }
}

describe('a token by a login', () => {
  let clock: FakeClock;
  let logins: Logins;
  let warnings: string[];
  let source: LoginTokenSource;
  const token = async (): Promise<string | undefined> => (await source.current())?.reveal();

  beforeEach(() => {
    clock = new FakeClock();
    logins = new Logins();
    warnings = [];
    const options = { method: 'platform', bearerToken: () => ' jwt\n', meta: { pod: 'p-1' } };
    source = new LoginTokenSource(options, clock, (message) => void warnings.push(message));
  });

  it('is made by the first request, for all that wait', async () => {
    source.connect(logins);
    expect(logins.made).toEqual([]);
    expect(await Promise.all([token(), token()])).toEqual(['token-1', 'token-1']);
    expect(logins.made).toEqual([{ method: 'platform', bearerToken: 'jwt', meta: { pod: 'p-1' } }]);
  });

  it('is renewed before it expires, and no request waits for that', async () => {
    source.connect(logins);
    await token();
    await clock.advance(VALID_MS * 0.75);
    expect(await token()).toBe('token-1');
    await clock.advance(1);
    let arrive = (): void => undefined;
    logins.pending = new Promise((resolve) => (arrive = resolve));
    expect(await token()).toBe('token-1');
    expect(await token()).toBe('token-1');
    arrive();
    await clock.advance(0);
    expect(await token()).toBe('token-2');
    expect(logins.made).toHaveLength(2);
    expect(source.version).toBe(2);
  });

  it('stays in use while it cannot be renewed, which is tried every five seconds', async () => {
    source.connect(logins);
    await token();
    logins.failure = new Error('no leader');
    await clock.advance(VALID_MS * 0.75 + 1);
    for (let n = 0; n < 10; n++) {
      expect(await token()).toBe('token-1');
      await clock.advance(1_000);
    }
    expect(logins.made.length).toBeLessThanOrEqual(4);
    expect(warnings).toEqual([
      expect.stringMatching(/the login by the auth method "platform" failed; the last token stays in use/),
    ]);
    logins.failure = undefined;
    await clock.advance(5_001);
    await token();
    await clock.advance(0);
    expect(await token()).not.toBe('token-1');
  });

  it('is waited for once the last one has expired', async () => {
    source.connect(logins);
    await token();
    await clock.advance(VALID_MS);
    expect(await token()).toBe('token-2');
  });

  it('is replaced when Consul does not know it, not when it lacks a permission', async () => {
    source.connect(logins);
    const used = await source.current();
    expect(await source.refused(used, false)).toBe(false);
    expect(logins.made).toHaveLength(1);
    expect(await source.refused(used, true)).toBe(true);
    expect(await token()).toBe('token-2');
  });

  it('is deleted by the last client that used it, and only if it was made', async () => {
    await source.connect(logins)();
    expect(logins.deleted).toEqual([]);
    const [first, second] = [source.connect(logins), source.connect(new Logins())];
    await token();
    await first();
    expect(logins.deleted).toEqual([]);
    const last = new Logins();
    const third = source.connect(last);
    await second();
    await third();
    expect(last.deleted).toEqual(['token-1']);
    await third();
    expect(last.deleted).toHaveLength(1);
  });

  it('is deleted where its last client was closed while it was made', async () => {
    const close = source.connect(logins);
    let arrive = (): void => undefined;
    logins.pending = new Promise((resolve) => (arrive = resolve));
    const making = token();
    await settle();
    await close();
    arrive();
    await making;
    expect([logins.made.length, logins.deleted]).toEqual([1, ['token-1']]);
  });

  it('needs a text that the auth method verifies', async () => {
    const options = { method: 'platform', bearerToken: () => undefined as unknown as string };
    const wrong = new LoginTokenSource(options, clock, () => undefined);
    wrong.connect(logins);
    expect(String(await thrownBy(() => wrong.current()))).toContain(
      'agent.login.bearerToken returned no text',
    );
    expect(logins.made).toEqual([]);
  });

  it('is an error without a client, or when the first login fails', async () => {
    expect(await thrownBy(token)).toMatchObject({ code: 'RK_REGISTRY_UNREACHABLE' });
    source.connect(logins);
    logins.failure = new Error('refused');
    expect(await thrownBy(token)).toMatchObject({ code: 'RK_ACL_DENIED', cause: logins.failure });
  });
});
