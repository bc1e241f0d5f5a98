import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FakeClock, thrownBy } from '@rookery/test-support';
import { fixedToken, providedToken, tokenFile, type TokenSource } from './token-source.js';

const value = async (source: TokenSource): Promise<string | undefined> => (await source.current())?.reveal();

describe('a token', () => {
  let folder: string;
  const clock = new FakeClock();
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rookery-token-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('that is fixed stays, and cannot be inspected', async () => {
    const source = fixedToken('hush-hush');
    expect(await value(source)).toBe('hush-hush');
    expect(await source.refused(await source.current(), true)).toBe(false);
    const shown = `${inspect(await source.current(), { showHidden: true })} ${JSON.stringify(await source.current())}`;
    expect(shown).not.toContain('hush');
    expect(await value(fixedToken(undefined))).toBeUndefined();
  });

  it('in a file is reread after 5 s, and stays in use when the file is gone', async () => {
    const path = join(folder, 'rotating');
    writeFileSync(path, 'one\n');
    const source = tokenFile(path, clock, warn);
    expect(await value(source)).toBe('one');
    writeFileSync(path, 'two\n');
    expect(await value(source)).toBe('one');
    await clock.advance(5_001);
    expect(await value(source)).toBe('two');
    rmSync(path);
    await clock.advance(5_001);
    expect(await value(source)).toBe('two');
  });

  it('F46 in a file that is empty or half written stays in use, with one warning', async () => {
    const path = join(folder, 'rewritten');
    const first = '6b1f8a6e-6a3b-4f5c-9a5e-0a5d0c6b7f11';
    const second = '7c2f8a6e-6a3b-4f5c-9a5e-0a5d0c6b7f12';
    warnings.length = 0;
    writeFileSync(path, '');
    const source = tokenFile(path, clock, warn);
    await expect(value(source)).rejects.toThrow(/the token file .*rewritten is empty/);
    writeFileSync(path, first);
    expect(await value(source)).toBe(first);
    const { version } = source;
    for (const content of ['', '\n', second.slice(0, 20)]) {
      writeFileSync(path, content);
      await clock.advance(5_001);
      expect(await value(source)).toBe(first);
    }
    expect(source.version).toBe(version);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/the token file .* is empty; the last token stays in use/);
    writeFileSync(path, second);
    await clock.advance(5_001);
    expect(await value(source)).toBe(second);
    expect(source.version).not.toBe(version);
  });

  it('in a file is reread at once when Consul refuses it', async () => {
    const path = join(folder, 'refused');
    writeFileSync(path, 'old');
    const source = tokenFile(path, clock, warn);
    const used = await source.current();
    expect(await source.refused(used, true)).toBe(false);
    writeFileSync(path, 'new');
    expect(await source.refused(used, true)).toBe(true);
    expect(await value(source)).toBe('new');
  });

  it('from a provider is fetched once for concurrent requests, and again when it is refused', async () => {
    let asked = 0;
    const source = providedToken(async () => `token-${++asked}`, clock, warn);
    await Promise.all([source.current(), source.current(), source.current()]);
    await clock.advance(3_600_000);
    expect(await value(source)).toBe('token-1');
    const used = await source.current();
    expect(await source.refused(used, true)).toBe(true);
    // The slower of two requests with the old token must not cause a second fetch.
    expect(await source.refused(used, true)).toBe(true);
    expect(await value(source)).toBe('token-2');
    expect(asked).toBe(2);
  });

  it.each([['two lines\nof an error'], ['“pasted”'], ['with a space']])(
    'that no header may have is asked for again: %j',
    async (wrong) => {
      const tokens = [wrong, 'right'];
      const source = providedToken(async () => tokens.shift() ?? '', clock, warn);
      const error = await thrownBy(() => source.current());
      expect(error).toMatchObject({ code: 'RK_ACL_DENIED' });
      expect(String(error)).toMatch(/the tokenProvider has no valid token/);
      expect(String(error)).not.toContain(wrong);
      expect(await value(source)).toBe('right');
    },
  );

  it('from a provider that never answers is asked for again after ten seconds', async () => {
    const answers = [new Promise<string>(() => undefined), Promise.resolve('right')];
    const source = providedToken(async () => answers.shift() ?? '', clock, warn);
    const asked = thrownBy(() => source.current());
    await clock.advance(10_000);
    expect(String(await asked)).toMatch(/the tokenProvider failed/);
    expect(await value(source)).toBe('right');
  });

  it('that is new has its predecessor for a minute', async () => {
    const tokens = ['first', 'second'];
    const source = providedToken(async () => tokens.shift() ?? 'third', clock, warn);
    expect(await value(source)).toBe('first');
    expect(source.previous).toBeUndefined();
    await source.refused(await source.current(), true);
    expect(await value(source)).toBe('second');
    await clock.advance(59_000);
    expect(source.previous?.reveal()).toBe('first');
    await clock.advance(1_000);
    expect(source.previous).toBeUndefined();
  });

  it('from a provider that returns no text is an error that says so, and the last one stays in use', async () => {
    let text: unknown;
    const source = providedToken(() => text as string, clock, warn);
    expect(String(await thrownBy(() => source.current()))).toMatch(/the tokenProvider returned no text/);
    text = 'one';
    expect(await value(source)).toBe('one');
    text = { token: 'two' };
    warnings.length = 0;
    await source.refused(await source.current(), true);
    expect(await value(source)).toBe('one');
    expect(warnings).toEqual([expect.stringMatching(/returned no text; the last token stays in use/)]);
  });

  it('from a failing provider is an error that says so', async () => {
    const source = providedToken(() => Promise.reject(new Error('vault is sealed')), clock, warn);
    await expect(source.current()).rejects.toMatchObject({
      code: 'RK_ACL_DENIED',
      retryable: true,
      cause: { message: 'vault is sealed' },
    });
  });
});
