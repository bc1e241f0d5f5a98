// Writes the pages of the site: the files of the repository, with links from page to page in place of those from file to file.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PATHS } from './pages.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGES = fileURLToPath(new URL('./pages/', import.meta.url));
const IMAGE = /\.(?:png|svg)$/;
const FENCED = /^(```.*?^```)/gms;
const LINK = /(!?)\[((?:[^\]]|\](?!\())*)\]\(([^)\s]+)\)/g;

/** The file that a path of the repository stands for: of a folder, its README. */
function fileOf(path) {
  const readme = posix.join(path, 'README.md');
  return existsSync(join(ROOT, readme)) ? readme : path;
}

/** A link as the site has it; what is no page of it is only named. */
function relink(source, [whole, mark, text, link]) {
  if (/^[a-z]+:/.test(link) || link.startsWith('#')) return whole;
  const [path, anchor] = link.split('#');
  const target = posix.join(posix.dirname(source), path);
  if (!existsSync(join(ROOT, target))) throw new Error(`${source}: ${link} leads nowhere`);
  if (IMAGE.test(target)) {
    copyFileSync(join(ROOT, target), join(PAGES, basename(target)));
    return `${mark}[${text}](./${basename(target)})`;
  }
  const page = PATHS.get(fileOf(target.replace(/\/$/, '')));
  return page === undefined ? text : `[${text}](./${page}.md${anchor === undefined ? '' : `#${anchor}`})`;
}

rmSync(PAGES, { recursive: true, force: true });
mkdirSync(PAGES, { recursive: true });
for (const [source, path] of PATHS) {
  const text = readFileSync(join(ROOT, source), 'utf8');
  // Examples stand at the odd places.
  const parts = text
    .split(FENCED)
    .map((part, n) => (n % 2 === 1 ? part : part.replaceAll(LINK, (...match) => relink(source, match))));
  writeFileSync(join(PAGES, `${path}.md`), parts.join(''));
}
