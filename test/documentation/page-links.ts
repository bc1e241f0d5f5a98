import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { slugOf } from '../../apps/docs/slug.mjs';

const SAMPLES = join('apps', 'samples');
const SAMPLES_SOURCES = join(SAMPLES, 'src');
const FENCED = /^```.*?^```/gms;
const LINK = /\]\(([^)\s]+)\)/g;
const HEADING = /^#+ (.*)$/gm;
const EXTERNAL = /^[a-z]+:/;

export interface PageLink {
  /** Paths from the root. */
  readonly from: string;
  readonly to: string;
  /** Without the `#`. */
  readonly anchor: string | undefined;
}

/** The pages for users: the README, those of the packages and what is in their `docs`, and those of the samples. */
export function documentationPages(root: string): readonly string[] {
  const inFolder = (folder: string): string[] =>
    existsSync(join(root, folder)) ? readdirSync(join(root, folder)).map((name) => join(folder, name)) : [];
  const libraries = inFolder('libs').filter((path) => statSync(join(root, path)).isDirectory());
  const pages = libraries.flatMap((library) => [
    join(library, 'README.md'),
    ...inFolder(join(library, 'docs')),
  ]);
  const samples = [
    '',
    'nest-11-commonjs',
    ...inFolder(SAMPLES_SOURCES).map((path) => relative(SAMPLES, path)),
  ].map((name) => join(SAMPLES, name, 'README.md'));
  return ['README.md', ...samples, ...pages.filter((path) => path.endsWith('.md'))];
}

/** The links of a page to what is in the repository; not those in examples. */
export function linksOf(root: string, page: string): readonly PageLink[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll(FENCED, '');
  return [...text.matchAll(LINK)].flatMap(([, link = '']) => {
    if (EXTERNAL.test(link)) return [];
    const [path = '', anchor] = link.split('#');
    return [{ from: page, to: path === '' ? page : join(dirname(page), path), anchor }];
  });
}

/** Whether there is what a link leads to. A folder stands for its README. */
export function isBroken(root: string, { to, anchor }: PageLink): boolean {
  const path = join(root, to);
  if (!existsSync(path)) return true;
  if (anchor === undefined) return false;
  const page = statSync(path).isDirectory() ? join(path, 'README.md') : path;
  return !anchorsOf(readFileSync(page, 'utf8')).has(anchor);
}

function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...text.replaceAll(FENCED, '').matchAll(HEADING)].map(([, heading = '']) => heading);
  return new Set(headings.map(slugOf));
}
