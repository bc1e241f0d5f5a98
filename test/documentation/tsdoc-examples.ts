import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { examplesOf, type PageExample } from './example-compiler.js';

const COMMENT = /\/\*\*.*?\*\//gs;
/** What stands in a class: a decorated member, or a constructor. */
const MEMBER =
  /^(?:@(?!Module|Injectable|Controller|Catch|ServiceClient\('[\w-]+'[^\n]*\)\n(?:export|class))\w+\(|constructor\()/;

/** The examples of the comments of the libraries, which the pages of the API show. */
export function tsdocExamples(root: string): readonly PageExample[] {
  const libraries = readdirSync(join(root, 'libs'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  return libraries.flatMap(({ name }) => {
    const sources = join('libs', name, 'src');
    const files = readdirSync(join(root, sources), { recursive: true }) as string[];
    return files
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
      .flatMap((file) => ofFile(root, join(sources, file)));
  });
}

function ofFile(root: string, page: string): readonly PageExample[] {
  const source = readFileSync(join(root, page), 'utf8');
  return [...source.matchAll(COMMENT)].flatMap(({ 0: comment, index }) => {
    const before = source.slice(0, index).split('\n').length - 1;
    return examplesOf(page, comment.replaceAll(/^ *\* ?/gm, '')).map(({ line, text }) => ({
      page,
      line: before + line,
      text: MEMBER.test(text) ? `class Example { [name: string]: any; ${text}}\n` : text,
    }));
  });
}
