import { basename, join } from 'node:path';
import ts from 'typescript';

/** An example of a page, in TypeScript. */
export interface PageExample {
  /** Path from the root. */
  readonly page: string;
  /** Of its first line. */
  readonly line: number;
  readonly text: string;
}

const EXAMPLE = /^```ts\n(.*?)^```/gms;
/** "Cannot find name", with and without a suggestion, as a shorthand property, of a test runner, and of a member of a class. */
const UNKNOWN_NAME = new Set([2304, 2552, 18004, 2582, 2593, 2662, 2663]);

export function examplesOf(page: string, text: string): readonly PageExample[] {
  return [...text.matchAll(EXAMPLE)].map(({ index, 1: example = '' }) => ({
    page,
    line: text.slice(0, index).split('\n').length + 1,
    text: example,
  }));
}

/** Where names come from that an example uses without an import. */
export interface ExampleContext {
  /** Modules, of which the first one that exports a name is imported. */
  readonly modules: readonly string[];
  /** Names of other modules, such as `z` of zod. */
  readonly names: Readonly<Record<string, string>>;
  /** Files that examples import, by their path from the folder of the examples. */
  readonly files: Readonly<Record<string, string>>;
  /** By page: declarations of what the app of a reader has. */
  readonly declarations: Readonly<Record<string, string>>;
}

/** Compiles examples as files of a folder of `root`. @returns what is wrong with them, by page and line */
export function compileExamples(
  root: string,
  examples: readonly PageExample[],
  { modules, names: known, files, declarations }: ExampleContext,
): readonly string[] {
  const options = optionsOf(root);
  const folder = join(root, 'test', 'documentation', 'examples');
  const fileOf = (index: number): string => fileOfExample(folder, examples, index);
  const index = join(folder, 'modules.ts');
  const compile = (texts: ReadonlyMap<string, string>): ts.Program => {
    const host = ts.createCompilerHost(options);
    const ofDisk = { ...host };
    host.getSourceFile = (name, format, ...rest) => {
      const text = texts.get(name);
      return text === undefined
        ? ofDisk.getSourceFile(name, format, ...rest)
        : ts.createSourceFile(name, text, format, true);
    };
    host.fileExists = (name) => texts.has(name) || ofDisk.fileExists(name);
    host.directoryExists = (name) => name.startsWith(folder) || ofDisk.directoryExists?.(name) === true;
    host.readFile = (name) => texts.get(name) ?? ofDisk.readFile(name);
    return ts.createProgram([...texts.keys()], options, host);
  };
  const beside = Object.entries(files).map(([name, text]): [string, string] => [join(folder, name), text]);
  const written = examples.map(({ page, text }, n): [string, string] => [
    fileOf(n),
    `${text}\nexport {};\n${declarations[page] ?? ''}\n`,
  ]);
  const imports = modules.map((name, n) => `import * as m${n} from '${name}';\nexport { m${n} };`);

  const before = compile(new Map([...written, ...beside, [index, imports.join('\n')]]));
  const exporters = exportersOf(before, index);
  const imported = new Map(
    written.map(([file, text], n) => {
      const siblings = declaredBeside(before, examples, n, fileOf);
      const lines = [...unknownNames(before, file)].flatMap((name) => {
        const module = known[name] ?? siblings.get(name) ?? exporters.get(name);
        return module === undefined ? [] : `import { ${name} } from '${module}';`;
      });
      // Behind the example, so that its lines keep their numbers.
      return [file, `${text}${lines.join('\n')}\n`];
    }),
  );
  const program = compile(new Map([...imported, ...beside]));
  return examples.flatMap(({ page, line }, n) => {
    const file = program.getSourceFile(fileOf(n));
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    return found.map(({ start = 0, messageText }) => {
      const at = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + line;
      return `${page}:${at}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  });
}

/** In a folder of its page, under the name that its first line says: examples of a page import each other. */
function fileOfExample(folder: string, examples: readonly PageExample[], index: number): string {
  const { page, text } = examples[index] ?? { page: '', text: '' };
  const name = /^\/\/ ([\w.-]+)\.ts\b/.exec(text)?.[1] ?? `example-${index}`;
  return join(folder, page.replaceAll(/\W+/g, '-'), `${name}.ts`);
}

function optionsOf(root: string): ts.CompilerOptions {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config,
    ts.sys,
    join(root, 'test'),
  );
  return { ...options, verbatimModuleSyntax: false, composite: false, noEmit: true, rootDir: root };
}

/** By name, the first of the modules that exports it. */
function exportersOf(program: ts.Program, index: string): ReadonlyMap<string, string> {
  const checker = program.getTypeChecker();
  const exporters = new Map<string, string>();
  for (const statement of program.getSourceFile(index)?.statements ?? []) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const module = checker.getSymbolAtLocation(statement.moduleSpecifier);
    if (!module) throw new Error(`${statement.moduleSpecifier.text} cannot be found`);
    for (const { name } of checker.getExportsOfModule(module))
      if (!exporters.has(name)) exporters.set(name, statement.moduleSpecifier.text);
  }
  return exporters;
}

/** What the other examples of the same page export, by name. */
function declaredBeside(
  program: ts.Program,
  examples: readonly PageExample[],
  own: number,
  fileOf: (index: number) => string,
): ReadonlyMap<string, string> {
  const checker = program.getTypeChecker();
  const others = examples.flatMap(({ page }, index) =>
    index !== own && page === examples[own]?.page ? [fileOf(index)] : [],
  );
  return new Map(
    others.flatMap((other) => {
      const file = program.getSourceFile(other);
      const module = file && checker.getSymbolAtLocation(file);
      const exported = module ? checker.getExportsOfModule(module) : [];
      return exported.map(({ name }): [string, string] => [name, `./${basename(other, '.ts')}.js`]);
    }),
  );
}

function unknownNames(program: ts.Program, path: string): ReadonlySet<string> {
  const file = program.getSourceFile(path);
  const found = program.getSemanticDiagnostics(file).filter(({ code }) => UNKNOWN_NAME.has(code));
  return new Set(found.map(({ start = 0, length = 0 }) => file?.text.slice(start, start + length) ?? ''));
}
