import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compile, instrument, type Mutant } from './instrument.js';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TREE = join(ROOT, '.cache/mutation');
const LIBRARIES = ['discovery', 'consul', 'embedded-consul', 'etcd', 'microservices'];
const PATTERN = LIBRARIES.join('|');
const PRIVATE_FILE = new RegExp(`^#libs/(${PATTERN})/dist/(.+)$`);
const ENTRY = new RegExp(`^@rookery/(${PATTERN})(?:/(.+))?$`);
const FOLDERS = [...LIBRARIES.map((library) => `libs/${library}/src`), 'test/support/src'];
/**
 * What speaks to Consul is judged by suites on the embedded Consul, too, in the same process: most of what a client does is in what it sends,
 * and in what it makes of the answers. Those of whole apps wait for too long.
 */
const CLIENT = 'libs/consul/src';
const FOLDERS_OF_SUITES = ['test/e2e', 'test/coordination', 'test/registries', 'test/faults'];
const SUITES_ON_CONSUL = [
  ...['config-command', 'elections', 'flags', 'kv', 'locks', 'semaphores', 'service-commands', 'session'].map(
    (name) => `test/e2e/${name}.both.e2e-spec.ts`,
  ),
  'test/coordination/consul.both.e2e-spec.ts',
  'test/registries/consul.both.e2e-spec.ts',
];
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const RUNTIME = here('./active-mutant.js');
const GLOBALS = here('./jest-globals.js');

export interface SourceTree {
  readonly mutants: readonly Mutant[];
  /** The tests, as they are to be imported. */
  readonly suites: readonly string[];
}

/** Compiles the libraries into a folder of its own, with mutants in what is to be mutated. @param isMutated by path below the repository */
export function writeTree(isMutated: (file: string) => boolean): SourceTree {
  rmSync(TREE, { recursive: true, force: true });
  mkdirSync(TREE, { recursive: true });
  writeFileSync(join(TREE, 'package.json'), '{"type":"module"}\n');
  const mutants: Mutant[] = [];
  const suites: string[] = [];
  const onConsul: string[] = [];
  for (const folder of [...FOLDERS, ...FOLDERS_OF_SUITES])
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      const file = join(folder, name);
      if (!/\.(ts|js|json)$/.test(name) || name.endsWith('.d.ts') || name.startsWith('dist/')) continue;
      if (name.endsWith('.e2e-spec.ts') && !SUITES_ON_CONSUL.includes(file)) continue;
      const source = readFileSync(join(ROOT, file), 'utf8');
      const target = join(TREE, file.replace(/\.ts$/, '.js'));
      let code = source;
      if (name.endsWith('.ts')) {
        if (isMutated(file) && !name.endsWith('.spec.ts')) {
          const runtime = pathToFileURL(RUNTIME).href;
          const instrumented = instrument(file, source, mutants.length + 1, runtime);
          mutants.push(...instrumented.mutants);
          ({ code } = instrumented);
        } else code = compile(file, source);
        code = withPaths(code, file);
      }
      if (name.endsWith('.spec.ts')) suites.push(target);
      if (name.endsWith('.e2e-spec.ts')) onConsul.push(target);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, code);
    }
  if (mutants.some(({ file }) => file.startsWith(CLIENT))) suites.push(...onConsul);
  return { mutants, suites: suites.sort() };
}

/** The names of packages are paths in this tree, as those of Jest are paths of sources. */
function withPaths(code: string, file: string): string {
  return code.replace(
    /((?:from|import)\s*\(?\s*)(['"])([@#][^'"]+)\2/g,
    (whole, before: string, quote: string, name: string) => {
      const path = pathOf(name, file);
      return path === undefined ? whole : `${before}${quote}${pathToFileURL(path).href}${quote}`;
    },
  );
}

function pathOf(name: string, file: string): string | undefined {
  const [, inLibrary, built] = PRIVATE_FILE.exec(name) ?? [];
  if (inLibrary !== undefined && built !== undefined) return join(TREE, 'libs', inLibrary, 'src', built);
  if (name === '@jest/globals') return GLOBALS;
  if (name === '@rookery/test-support') return join(TREE, 'test/support/src/index.js');
  // Files of the package that the code reads are beside what is built.
  const [, library = ''] = file.split('/');
  if (name === '#here') return resolve(ROOT, 'libs', library, 'dist/here.js');
  const [, of, entry] = ENTRY.exec(name) ?? [];
  if (of === undefined) return undefined;
  const entries: Readonly<Record<string, string>> = { testing: 'testing/index' };
  return join(TREE, 'libs', of, 'src', `${entry === undefined ? 'index' : (entries[entry] ?? entry)}.js`);
}
