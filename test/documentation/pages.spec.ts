import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { wholeAppOf } from '@rookery/test-support';
import { ERROR_CLASSES } from '#libs/discovery/dist/errors/error-codes.js';
import { PATHS } from '../../apps/docs/pages.mjs';
import { documentationPages, isBroken, linksOf } from './page-links.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CODES = Object.keys(ERROR_CLASSES);

describe('the documentation', () => {
  const pages = documentationPages(ROOT);
  const links = pages.flatMap((page) => linksOf(ROOT, page));

  it('has no link that leads nowhere', () => {
    expect(links.length).toBeGreaterThan(100);
    expect(links.filter((link) => isBroken(ROOT, link))).toEqual([]);
  });

  it('would show a link that leads nowhere', () => {
    const to = join('libs', 'consul', 'docs', 'locks.md');
    const link = { from: 'README.md', to, anchor: undefined };
    expect(isBroken(ROOT, link)).toBe(false);
    expect(isBroken(ROOT, { ...link, anchor: 'no-such-heading' })).toBe(true);
    expect(isBroken(ROOT, { ...link, to: `${to}x` })).toBe(true);
  });

  it('has every page within two clicks of the README', () => {
    const after = (from: ReadonlySet<string>): Set<string> =>
      new Set([
        ...from,
        ...links
          .filter((link) => from.has(link.from))
          .map(({ to }) => pages.find((page) => page === to || page === join(to, 'README.md')) ?? to),
      ]);
    const reached = after(after(new Set(['README.md'])));
    expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  });

  it('has every page on the site', () => {
    expect(pages.filter((page) => !PATHS.has(page))).toEqual([]);
  });

  it('says of each error what it means, and what to do', () => {
    const page = readFileSync(join(ROOT, 'libs/discovery/docs/errors.md'), 'utf8');
    const sections = new Map(
      page.split(/^### /m).map((section) => section.split('\n\n') as [string, string]),
    );
    const told = CODES.filter((code) => (sections.get(code) ?? '').length > 40);
    expect(told).toEqual(CODES);
    expect(sections.size - 1).toBe(CODES.length);
  });

  it('says of each option what it is, or where that is said', () => {
    const options = pages
      .filter((page) => page.endsWith('options.md'))
      .flatMap((page) =>
        readFileSync(join(ROOT, page), 'utf8')
          .split(/^(?=- `)/m)
          .slice(1),
      )
      .map((option) => option.split(/\n\n/)[0] ?? '');
    expect(options.length).toBeGreaterThan(250);
    const silent = options.filter(
      (option) => !/; default: |; required|\]\(#/.test(option) && !option.trim().includes('\n'),
    );
    expect(silent).toEqual([]);
  });

  it('has a README of about two hundred lines, without a table that is wider than a screen', () => {
    const lines = readFileSync(join(ROOT, 'README.md'), 'utf8').split('\n');
    expect(lines.length).toBeLessThan(220);
    const rows = lines.filter((line) => line.startsWith('|'));
    // As it is shown: a link is as wide as its text.
    const shown = rows.map((row) => row.replaceAll(/\]\([^)]*\)/g, '').replaceAll(/ +/g, ' '));
    expect(shown.filter((row) => row.length > 130)).toEqual([]);
  });

  it('shows the same whole app in the README of the package as in that of the repository', () => {
    const app = wholeAppOf('README.md');
    expect(app).toContain('ConsulModule.forRoot');
    expect(wholeAppOf('consul/README.md')).toBe(app);
  });
});
