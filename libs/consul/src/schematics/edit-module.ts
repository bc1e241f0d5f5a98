import { MetadataManager } from '@nestjs/schematics';
import ts from 'typescript';
import { insertBelow, SchematicError } from './source-edit.js';

/**
 * The source of a root module with `ConsulModule` among its imports; the same where it is there already.
 *
 * @throws SchematicError where there is no module in it
 */
export function withConsulModule(source: string, { path, name }: { path: string; name: string }): string {
  if (/\bConsulModule\b/.test(source)) return source;
  const registered = `ConsulModule.forRoot({ service: { name: '${name}' } })`;
  const changed = new MetadataManager(source).insert('imports', registered);
  if (changed === undefined || changed === source)
    throw new SchematicError(
      `${path}: there is no @Module({ ... }) with a list of imports. Add ${registered} to the imports of the root module`,
    );
  return withImport(changed, "import { ConsulModule } from '@rookery/consul';");
}

/** Below the other imports, above everything else where there is none. */
function withImport(source: string, line: string): string {
  const file = ts.createSourceFile('module.ts', source, ts.ScriptTarget.Latest);
  const last = file.statements.filter(ts.isImportDeclaration).at(-1);
  return last ? insertBelow(source, last.end, line) : `${line}\n${source}`;
}
