import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { fixedToken, providedToken, tokenFile, type TokenSource } from './token-source.js';

const value = async (source: TokenSource): Promise<string | undefined> => (await source.current())?.reveal();

describe('a token', () => {
  let folder: string;
  const clock = new FakeClock();
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-token-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('that is fixed stays, and cannot be inspected', async () => {
    const source = fixedToken('hush-hush');
    expect(await value(source)).toBe('hush-hush');
    expect(await source.refused(await source.current())).toBe(false);
    const shown = `${inspect(await source.current(), { showHidden: true })} ${JSON.stringify(await source.current())}`;
    expect(shown).not.toContain('hush');
    expect(await value(fixedToken(undefined))).toBeUndefined();
  });

  it('in a file is reread after 5 s, and stays in use when the file is gone', async () => {
    const path = join(folder, 'rotating');
    writeFileSync(path, 'one\n');
    const source = tokenFile(path, clock);
    expect(await value(source)).toBe('one');
    writeFileSync(path, 'two\n');
    expect(await value(source)).toBe('one');
    await clock.advance(5_001);
    expect(await value(source)).toBe('two');
    rmSync(path);
    await clock.advance(5_001);
    expect(await value(source)).toBe('two');
  });

  it('in a file is reread at once when Consul refuses it', async () => {
    const path = join(folder, 'refused');
    writeFileSync(path, 'old');
    const source = tokenFile(path, clock);
    const used = await source.current();
    expect(await source.refused(used)).toBe(false);
    writeFileSync(path, 'new');
    expect(await source.refused(used)).toBe(true);
    expect(await value(source)).toBe('new');
  });

  it('from a provider is fetched once for concurrent requests, and again when it is refused', async () => {
    let asked = 0;
    const source = providedToken(async () => `token-${++asked}`, clock);
    await Promise.all([source.current(), source.current(), source.current()]);
    await clock.advance(3_600_000);
    expect(await value(source)).toBe('token-1');
    const used = await source.current();
    expect(await source.refused(used)).toBe(true);
    // The slower of two requests with the old token must not cause a second fetch.
    expect(await source.refused(used)).toBe(true);
    expect(await value(source)).toBe('token-2');
    expect(asked).toBe(2);
  });

  it('from a failing provider is an error that says so', async () => {
    const source = providedToken(() => Promise.reject(new Error('vault is sealed')), clock);
    await expect(source.current()).rejects.toMatchObject({
      code: 'RK_ACL_DENIED',
      retryable: true,
      cause: { message: 'vault is sealed' },
    });
  });
});
