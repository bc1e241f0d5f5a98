import ts from 'typescript';
import { insertBelow } from './source-edit.js';

/** How an app is made in its `main.ts`. */
interface AppCreation {
  /** Its variable, such as `app`. */
  readonly variable: string;
  /** The class of its root module. */
  readonly module: string;
  /** The end of the statement. */
  readonly end: number;
}

/** The path that the root module of an app is imported from, such as `./app.module`; undefined where no `NestFactory.create(AppModule)` is found. */
export function rootModulePath(main: string): string | undefined {
  const file = parse(main);
  const module = creationIn(file)?.module;
  const declaration = file.statements.filter(ts.isImportDeclaration).find(({ importClause }) => {
    const named = importClause?.namedBindings;
    const names = named && ts.isNamedImports(named) ? named.elements.map((element) => element.name.text) : [];
    return module !== undefined && (names.includes(module) || importClause?.name?.text === module);
  });
  return declaration && ts.isStringLiteral(declaration.moduleSpecifier)
    ? declaration.moduleSpecifier.text
    : undefined;
}

/** The source with `enableShutdownHooks` below where the app is made; undefined where that is not found. */
export function withShutdownHooks(main: string): string | undefined {
  if (/\benableShutdownHooks\b/.test(main)) return main;
  const creation = creationIn(parse(main));
  return creation && insertBelow(main, creation.end, `${creation.variable}.enableShutdownHooks();`);
}

function parse(source: string): ts.SourceFile {
  return ts.createSourceFile('main.ts', source, ts.ScriptTarget.Latest, true);
}

/** The first `const app = await NestFactory.create(AppModule)`, or another of its methods that make an app. */
function creationIn(node: ts.Node): AppCreation | undefined {
  if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name)) {
    const made =
      node.initializer && ts.isAwaitExpression(node.initializer)
        ? node.initializer.expression
        : node.initializer;
    if (made && ts.isCallExpression(made) && made.expression.getText().startsWith('NestFactory.create')) {
      const [module] = made.arguments;
      if (module && ts.isIdentifier(module))
        return { variable: node.name.text, module: module.text, end: node.parent.parent.end };
    }
  }
  return ts.forEachChild(node, creationIn);
}
