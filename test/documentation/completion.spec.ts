import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FILE = `${ROOT}test/documentation/completed.ts`;
const CURSOR = '/*cursor*/';

interface Completed {
  readonly names: readonly string[];
  readonly documentationOf: (name: string) => string;
}

/** An editor with one file open, which reads the libraries once. */
function openEditor(): (text: string) => Completed {
  let shown = '';
  let version = 0;
  const service = ts.createLanguageService({
    getCompilationSettings: () => ({
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      strict: true,
    }),
    getScriptFileNames: () => [FILE],
    getScriptVersion: (name) => (name === FILE ? String(version) : '1'),
    getScriptSnapshot: (name) => {
      const content = name === FILE ? shown : ts.sys.readFile(name);
      return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
    },
    getCurrentDirectory: () => ROOT,
    getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
    fileExists: (name) => name === FILE || ts.sys.fileExists(name),
    readFile: (name) => (name === FILE ? shown : ts.sys.readFile(name)),
    directoryExists: (name) => ts.sys.directoryExists(name),
    getDirectories: (name) => ts.sys.getDirectories(name),
  });
  return (text) => {
    shown = text;
    version += 1;
    const position = text.indexOf(CURSOR);
    const entries = service.getCompletionsAtPosition(FILE, position, {})?.entries ?? [];
    return {
      names: entries.map(({ name }) => name),
      documentationOf: (name) =>
        ts.displayPartsToString(
          service.getCompletionEntryDetails(FILE, position, name, {}, undefined, {}, undefined)
            ?.documentation,
        ),
    };
  };
}

describe('an editor', () => {
  const editorAt = openEditor();
  const use = (options: string): string =>
    `import { ConsulModule } from '@rookery/consul';\nConsulModule.forRoot(${options});\n`;

  it.each([
    ['the options of the module', use(`{ ${CURSOR} }`), 'agent', 'service', /registers, or several/],
    ['those within them', use(`{ clients: { ${CURSOR} } }`), 'retries', 'timeout', /Default: `'10s'`/],
    [
      'those of one service',
      use(`{ clients: { services: { a: { ${CURSOR} } } } }`),
      'tls',
      'slowStart',
      /Default: true/,
    ],
    [
      'those of a kind of check',
      use(`{ service: { name: 'a', check: { type: 'ttl', ${CURSOR} } } }`),
      'ttl',
      'maxStall',
      /blocked event loop/,
    ],
    ['those of the agent', use(`{ agent: { ${CURSOR} } }`), 'tokenFile', 'url', /CONSUL_HTTP_ADDR/],
  ])('completes %s, with what they are and their defaults', (_, text, one, other, documentation) => {
    const { names, documentationOf } = editorAt(text);
    expect(names).toEqual(expect.arrayContaining([one, other]));
    expect(documentationOf(other)).toMatch(documentation);
  });

  it('completes the names of strategies', () => {
    const { names } = editorAt(use(`{ clients: { strategy: '${CURSOR}' } }`));
    expect(names).toEqual(expect.arrayContaining(['p2c-ewma', 'round-robin', 'consistent-hash']));
  });
});
