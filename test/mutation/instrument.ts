import ts from 'typescript';
import { conditionMutations, mutationsOf, type Mutation } from './mutations.js';

/** A change of one place of a file. */
export interface Mutant {
  readonly id: number;
  readonly file: string;
  readonly line: number;
  readonly original: string;
  readonly replacement: string;
}

export interface Instrumented {
  /** JavaScript in which all mutants are, and of which at most one is active. */
  readonly code: string;
  readonly mutants: readonly Mutant[];
}

const IS_ACTIVE = '__isActive';
const REMOVED = '(removed)';
const MOST_SHOWN = 60;

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  verbatimModuleSyntax: true,
};

/** Only compiled. */
export function compile(file: string, source: string): string {
  return ts.transpileModule(source, { fileName: file, compilerOptions: OPTIONS }).outputText;
}

/** @param runtime the module that says which mutant is active */
export function instrument(file: string, source: string, firstId: number, runtime: string): Instrumented {
  const mutants: Mutant[] = [];
  const before: ts.TransformerFactory<ts.SourceFile> = (context) => (sourceFile) => {
    const { factory } = context;
    const add = (node: ts.Node, replacement: string): ts.Expression => {
      const id = firstId + mutants.length;
      const { line } = sourceFile.getLineAndCharacterOfPosition(node.getStart(sourceFile));
      const original = shorten(node.getText(sourceFile));
      mutants.push({ id, file, line: line + 1, original, replacement: shorten(replacement) });
      const isActive = factory.createIdentifier(IS_ACTIVE);
      return factory.createCallExpression(isActive, undefined, [factory.createNumericLiteral(id)]);
    };
    const choose = (
      node: ts.Expression,
      visited: ts.Expression,
      mutations: readonly Mutation[],
    ): ts.Expression =>
      mutations.reduce(
        (rest: ts.Expression, { replacement, text }) =>
          factory.createParenthesizedExpression(
            factory.createConditionalExpression(add(node, text), undefined, replacement, undefined, rest),
          ),
        visited,
      );
    const property = (node: ts.ObjectLiteralElementLike): ts.ObjectLiteralElementLike => {
      const visited = ts.visitEachChild(node, visit, context);
      const nothing = factory.createObjectLiteralExpression();
      const all = ts.isSpreadAssignment(visited)
        ? visited.expression
        : factory.createObjectLiteralExpression([visited]);
      return factory.createSpreadAssignment(
        factory.createParenthesizedExpression(
          factory.createConditionalExpression(add(node, REMOVED), undefined, nothing, undefined, all),
        ),
      );
    };
    const statement = (node: ts.ExpressionStatement): ts.Statement => {
      const visited = ts.visitEachChild(node, visit, context);
      const kept = factory.createIfStatement(factory.createLogicalNot(add(node, REMOVED)), visited);
      // In braces: an else would belong to it.
      return factory.createBlock([kept]);
    };
    const visit = (node: ts.Node): ts.Node => {
      if (isLeftOut(node)) return node;
      if (isIndexWithDefault(node))
        return ts.visitEachChild(node, (each) => (each === node.right ? each : visit(each)), context);
      if (isRemovableProperty(node)) return property(node);
      if (ts.isExpressionStatement(node) && isRemovable(node)) return statement(node);
      const visited = ts.visitEachChild(node, visit, context);
      if (!ts.isExpression(node) || !isValue(node)) return visited;
      const mutations = [
        ...mutationsOf(node, factory),
        ...(isCondition(node) ? conditionMutations(node, factory) : []),
      ];
      return choose(node, visited as ts.Expression, mutations);
    };
    return ts.visitEachChild(sourceFile, visit, context);
  };
  const { outputText } = ts.transpileModule(source, {
    fileName: file,
    compilerOptions: OPTIONS,
    transformers: { before: [before] },
  });
  const code = `import { isActive as ${IS_ACTIVE} } from ${JSON.stringify(runtime)};\n${outputText}`;
  return { code, mutants };
}

/** Types, imports and decorators do nothing at runtime that a unit test could notice. */
function isLeftOut(node: ts.Node): boolean {
  return (
    ts.isTypeNode(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isImportDeclaration(node) ||
    ts.isExportDeclaration(node) ||
    ts.isEnumDeclaration(node) ||
    ts.isDecorator(node)
  );
}

/** `numbers[at] ?? 0`: of an index that is in range it is there for the compiler (`noUncheckedIndexedAccess`), and no test can tell. */
function isIndexWithDefault(node: ts.Node): node is ts.BinaryExpression {
  return (
    ts.isBinaryExpression(node) &&
    node.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken &&
    ts.isElementAccessExpression(node.left) &&
    ts.isNumericLiteral(node.right)
  );
}

function isRemovableProperty(node: ts.Node): node is ts.ObjectLiteralElementLike {
  return (
    (ts.isPropertyAssignment(node) ||
      ts.isShorthandPropertyAssignment(node) ||
      ts.isSpreadAssignment(node)) &&
    ts.isObjectLiteralExpression(node.parent) &&
    !isAssignmentTarget(node.parent)
  );
}

function isRemovable({ expression }: ts.ExpressionStatement): boolean {
  return !(ts.isCallExpression(expression) && expression.expression.kind === ts.SyntaxKind.SuperKeyword);
}

/** Whether an expression is read: no target of an assignment, name of a property or part of a type. */
function isValue(node: ts.Expression): boolean {
  const { parent } = node;
  if (ts.isPropertyAssignment(parent) && parent.name === node) return false;
  if (ts.isPropertyDeclaration(parent) && parent.name === node) return false;
  return !isAssignmentTarget(node);
}

function isAssignmentTarget(node: ts.Node): boolean {
  for (let child = node; ; child = child.parent) {
    const { parent } = child;
    if (ts.isBinaryExpression(parent) && isAssignment(parent.operatorToken.kind))
      return parent.left === child;
    if (ts.isForOfStatement(parent) || ts.isForInStatement(parent)) return parent.initializer === child;
    if (!isPartOfPattern(parent)) return false;
  }
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

function isPartOfPattern(node: ts.Node): boolean {
  return (
    ts.isArrayLiteralExpression(node) ||
    ts.isObjectLiteralExpression(node) ||
    ts.isPropertyAssignment(node) ||
    ts.isShorthandPropertyAssignment(node) ||
    ts.isSpreadElement(node) ||
    ts.isSpreadAssignment(node)
  );
}

function isCondition(node: ts.Expression): boolean {
  const { parent } = node;
  return (
    (ts.isIfStatement(parent) && parent.expression === node) ||
    (ts.isConditionalExpression(parent) && parent.condition === node)
  );
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)}…` : line;
}
