import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { parse as parseYaml } from 'yaml';
import { compileExamples, examplesOf } from './example-compiler.js';
import { CONTEXT } from './example-context.js';
import { documentationPages } from './page-links.js';
import { tsdocExamples } from './tsdoc-examples.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

describe('the examples of the pages', () => {
  const pages = documentationPages(ROOT).map((page) => ({
    page,
    text: readFileSync(join(ROOT, page), 'utf8'),
  }));

  // At once, since the compiler reads the libraries anew each time.
  it('compile, with those of the comments, which the pages of the API show; and one that is wrong does not', () => {
    const ofPages = pages.flatMap(({ page, text }) => examplesOf(page, text));
    const ofComments = tsdocExamples(ROOT);
    expect([ofPages.length > 45, ofComments.length > 50]).toEqual([true, true]);
    const wrong = { page: 'a.md', line: 7, text: "ConsulModule.forRoot({\n  service: { nam: 'a' },\n});\n" };
    expect(compileExamples(ROOT, [...ofPages, ...ofComments, wrong], CONTEXT)).toEqual([
      expect.stringMatching(/^a\.md:8: .*'nam' does not exist/),
    ]);
  }, 120_000);

  it.each([
    ['json', (text: string): unknown => JSON.parse(text)],
    ['yaml', (text: string): unknown => parseYaml(text)],
  ] as const)('parse, those in %s', (language, parse) => {
    const examples = pages.flatMap(({ page, text }) =>
      [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
        ([, example = '']) => [page, example] as const,
      ),
    );
    expect(examples.length).toBeGreaterThan(1);
    for (const [page, example] of examples) expect({ page, parsed: parse(example) }).toMatchObject({ page });
  });
});
