import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { validateOptions } from './validate-options.js';

describe('validateOptions', () => {
  it.each([
    ['http://ops:geheim@host/a b', '"http://(not shown)@host/a b"'],
    ['http://ops:ge@heim@host', '"http://(not shown)@host"'],
    ['http://ops:ge/heim@host', '"http://(not shown)@host"'],
    ['http://ops:ge heim@host', '"http://(not shown)@host"'],
    ['host:80', '"host:80"'],
    ['me@host//x', '"me@host//x"'],
  ])('shows no password of a URL that is wrong: %s', (url, shown) => {
    const schema = z.object({
      check: z.object({ url: z.string().refine(() => false, { error: 'is wrong' }) }),
    });
    expect(validateOptions(schema, { check: { url } })).toEqual([
      { field: 'check.url', value: shown, hint: 'is wrong' },
    ]);
  });

  it('takes no longer for a text that is made to take long', () => {
    const schema = z.object({ url: z.string().refine(() => false, { error: 'is wrong' }) });
    const [issue] = validateOptions(schema, { url: '/'.repeat(200_000) });
    expect(issue?.value).toMatch(/^"\/{79}…$/);
  });
});
