// Builds `dist/cjs` of each library beside its ESM build, for applications in CommonJS: `npm run build`.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

// What cannot be written so that it is right in both formats.
const OWN_FILES = {
  'here.js': `"use strict";
const { join } = require('node:path');
// A bundle in the format of ESM has no __dirname, and no such file beside it.
const folder = typeof __dirname === 'string' ? __dirname : process.cwd();
exports.fileOf = (path) => join(folder, path);
`,
  'here.d.ts': 'export declare function fileOf(path: string): string;\n',
};
/** There axios declares AxiosError as a class that no other package can add to: `callReportOf` reads it. */
const WITHOUT_AXIOS_ERROR = { 'http/axios-error-types.d.ts': 'export {};\n' };

/** What reads a file of its own. */
const HAVE_HERE = new Set(['discovery', 'consul']);

for (const [library, replaced] of [
  ['discovery', WITHOUT_AXIOS_ERROR],
  ['consul', {}],
  ['embedded-consul', {}],
  ['dashboard', {}],
  ['etcd', {}],
  ['microservices', {}],
]) {
  const folder = join(root, 'libs', library);
  const out = join(folder, 'dist/cjs');
  const stamp = fingerprint(library);
  const stampFile = join(out, '.built');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) continue;
  rmSync(out, { recursive: true, force: true });
  const write = (files) => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(out, name)), { recursive: true });
      writeFileSync(join(out, name), content);
    }
  };
  write({ 'package.json': '{"type":"commonjs"}\n', ...(HAVE_HERE.has(library) ? OWN_FILES : {}) });
  const config = join(out, 'tsconfig.json');
  writeFileSync(config, JSON.stringify(configuration(folder, out)));
  try {
    execFileSync(process.execPath, [tsc, '-p', config], { cwd: folder, stdio: 'inherit' });
  } finally {
    rmSync(config);
  }
  write(replaced);
  for (const file of readdirSync(out, { recursive: true }).filter((name) => name.endsWith('.js')))
    nameHere(out, file);
  writeFileSync(stampFile, stamp);
}

/** Of what the build is made of: the sources of the library and of what it imports, this file, and the locked packages. */
function fingerprint(library) {
  const hash = createHash('sha256');
  const libraries = library === 'embedded-consul' ? [library] : ['discovery', library];
  const sources = libraries.flatMap((name) => {
    const folder = join(root, 'libs', name, 'src');
    return readdirSync(folder, { recursive: true })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
      .sort()
      .map((file) => join(folder, file));
  });
  for (const file of [
    ...sources,
    fileURLToPath(import.meta.url),
    join(root, 'package-lock.json'),
    join(root, 'tsconfig.json'),
  ])
    hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

/** A nested package.json has no subpath imports of its own. */
function nameHere(out, file) {
  const content = readFileSync(join(out, file), 'utf8');
  const from = (name) => `require("./${relative(dirname(file), name).replaceAll('\\', '/')}")`;
  const named = content
    .replace('require("#here")', from('here.js'))
    .replace('require("#page")', from('page.js'));
  if (named !== content) writeFileSync(join(out, file), named);
}

// axios has two sets of declarations, and either may be in use in an app of either format: that of @nestjs/axios decides.
const discovery = join(root, 'libs/discovery/dist');
const imported = (mode) => `import type { ServiceRequestOptions } from './service-client.options.js'${mode};
import type { CallReport } from '../calling/options/call-options.js'${mode};
`;
const augmented = (names) => `declare module 'axios' {
  interface AxiosRequestConfig {
    call?: ServiceRequestOptions;
  }
${names.map((name) => `  interface ${name} {\n    call?: CallReport;\n  }\n`).join('')}}
`;
addTypes('http/axios-types.d.cts', [
  imported(" with { 'resolution-mode': 'import' }"),
  augmented(['AxiosResponse']),
]);
addTypes('cjs/http/axios-types.d.mts', [imported(''), augmented(['AxiosResponse', 'AxiosError'])]);

function addTypes(name, parts) {
  const file = join(discovery, name);
  writeFileSync(file, parts.join(''));
  const options = join(dirname(file), 'service-client.options.d.ts');
  const reference = `/// <reference path="./${basename(name)}" />\n`;
  const content = readFileSync(options, 'utf8');
  if (!content.startsWith(reference)) writeFileSync(options, reference + content);
}

function configuration(folder, out) {
  return {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      module: 'CommonJS',
      moduleResolution: 'bundler',
      customConditions: ['require'],
      verbatimModuleSyntax: false,
      isolatedModules: true,
      // `tsc -b` has checked the same sources.
      noCheck: true,
      composite: false,
      incremental: false,
      declaration: true,
      rootDir: join(folder, 'src'),
      outDir: out,
      tsBuildInfoFile: null,
      // The same declarations as in the ESM build: those that axios has for CommonJS lack some of them.
      paths: {
        axios: [join(root, 'node_modules/axios/index.d.ts')],
        '#here': [join(out, 'here.d.ts')],
        '#page': [join(folder, 'src/page.d.ts')],
      },
      typeRoots: [join(root, 'node_modules/@types')],
    },
    include: [join(folder, 'src')],
    exclude: [
      join(folder, 'src/**/*.spec.ts'),
      join(folder, 'src/here.ts'),
      join(folder, 'src/bin.ts'),
      join(folder, 'src/cli'),
    ],
    references: [],
  };
}
