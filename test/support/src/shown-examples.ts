import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** An example that a page shows, and that a test runs. */
export interface ShownExample {
  /** `README.md`, `clients.md` of the `docs` of a package, or `etcd/README.md` of a package. */
  readonly page: string;
  readonly name: string;
  /** Without the indentation that it has in the test. */
  readonly text: string;
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MARKED = /^ *\/\/ ([\w/-]+\.md): ([\w ]+)\n(.*?)^ *\/\/ \1: end$/gms;

/** What stands in a test between `// clients.md: fetch` and `// clients.md: end`. @throws Error where there is none */
export function shownExamples(test: string): readonly ShownExample[] {
  const source = readFileSync(new URL(test), 'utf8');
  const examples = [...source.matchAll(MARKED)].map(([, page = '', name = '', block = '']) => {
    const indent = /^ */.exec(block)?.[0] ?? '';
    return { page, name, text: block.replaceAll(new RegExp(`^${indent}`, 'gm'), '') };
  });
  if (examples.length === 0) throw new Error(`${basename(test)} marks no example of a page`);
  return examples;
}

/** The text of a page. @throws Error where there is none, or more than one of that name */
export function readPage(page: string): string {
  const paths = candidates(page).filter((path) => existsSync(path));
  const [path] = paths;
  if (path === undefined || paths.length > 1)
    throw new Error(`${page}: ${paths.length} pages have this name`);
  return readFileSync(path, 'utf8');
}

/** The whole app that a page shows, in the block that begins with its name. @throws Error where there is none */
export function wholeAppOf(page: string): string {
  const [, app] = /```ts\n(\/\/ app\.ts\n.*?)```/s.exec(readPage(page)) ?? [];
  if (app === undefined) throw new Error(`${page} has no block that begins with // app.ts`);
  return app;
}

function candidates(page: string): readonly string[] {
  if (page === 'README.md') return [`${ROOT}${page}`];
  if (page.includes('/')) return [`${ROOT}libs/${page}`];
  return readdirSync(`${ROOT}libs`).map((library) => `${ROOT}libs/${library}/docs/${page}`);
}
