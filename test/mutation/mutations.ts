import ts from 'typescript';

/** What takes the place of an expression. */
export interface Mutation {
  readonly replacement: ts.Expression;
  /** As it is shown. */
  readonly text: string;
}

const { SyntaxKind } = ts;

const BINARY: ReadonlyMap<ts.SyntaxKind, readonly ts.BinaryOperator[]> = new Map([
  [SyntaxKind.EqualsEqualsEqualsToken, [SyntaxKind.ExclamationEqualsEqualsToken]],
  [SyntaxKind.ExclamationEqualsEqualsToken, [SyntaxKind.EqualsEqualsEqualsToken]],
  [SyntaxKind.LessThanToken, [SyntaxKind.LessThanEqualsToken, SyntaxKind.GreaterThanEqualsToken]],
  [SyntaxKind.LessThanEqualsToken, [SyntaxKind.LessThanToken, SyntaxKind.GreaterThanToken]],
  [SyntaxKind.GreaterThanToken, [SyntaxKind.GreaterThanEqualsToken, SyntaxKind.LessThanEqualsToken]],
  [SyntaxKind.GreaterThanEqualsToken, [SyntaxKind.GreaterThanToken, SyntaxKind.LessThanToken]],
  [SyntaxKind.AmpersandAmpersandToken, [SyntaxKind.BarBarToken]],
  [SyntaxKind.BarBarToken, [SyntaxKind.AmpersandAmpersandToken]],
  [SyntaxKind.PlusToken, [SyntaxKind.MinusToken]],
  [SyntaxKind.MinusToken, [SyntaxKind.PlusToken]],
  [SyntaxKind.AsteriskToken, [SyntaxKind.SlashToken]],
  [SyntaxKind.SlashToken, [SyntaxKind.AsteriskToken]],
  [SyntaxKind.PercentToken, [SyntaxKind.AsteriskToken]],
]);

const METHODS: ReadonlyMap<string, string> = new Map([
  ['some', 'every'],
  ['every', 'some'],
  ['min', 'max'],
  ['max', 'min'],
]);

/** The changes of an expression that a test should notice; each is one that a hurried author might have written. */
export function mutationsOf(node: ts.Expression, factory: ts.NodeFactory): readonly Mutation[] {
  if (ts.isBinaryExpression(node)) return binary(node, factory);
  if (ts.isPrefixUnaryExpression(node)) return unary(node);
  if (ts.isCallExpression(node)) return call(node, factory);
  if (node.kind === SyntaxKind.TrueKeyword) return [{ replacement: factory.createFalse(), text: 'false' }];
  if (node.kind === SyntaxKind.FalseKeyword) return [{ replacement: factory.createTrue(), text: 'true' }];
  if (ts.isNumericLiteral(node)) {
    // A little more than a limit is as good as the limit; ten times of it is not.
    const text = Number(node.text) <= 1 ? String(Number(node.text) + 1) : String(Number(node.text) * 10);
    return [{ replacement: factory.createNumericLiteral(text), text }];
  }
  if (ts.isArrayLiteralExpression(node) && node.elements.length > 0)
    return [{ replacement: factory.createArrayLiteralExpression(), text: '[]' }];
  return [];
}

/** What a condition may be where it is no comparison, which has changes of its own. */
export function conditionMutations(node: ts.Expression, factory: ts.NodeFactory): readonly Mutation[] {
  if (ts.isBinaryExpression(node) || ts.isPrefixUnaryExpression(node)) return [];
  return [
    { replacement: factory.createTrue(), text: 'true' },
    { replacement: factory.createFalse(), text: 'false' },
  ];
}

function binary(node: ts.BinaryExpression, factory: ts.NodeFactory): readonly Mutation[] {
  const { left, operatorToken, right } = node;
  if (operatorToken.kind === SyntaxKind.QuestionQuestionToken)
    return [left, right].map((replacement) => ({ replacement, text: replacement.getText() }));
  if (operatorToken.kind === SyntaxKind.PlusToken && [left, right].some(isText)) return [];
  return (BINARY.get(operatorToken.kind) ?? []).map((operator) => ({
    replacement: factory.createBinaryExpression(left, operator, right),
    text: `${left.getText()} ${ts.tokenToString(operator) ?? ''} ${right.getText()}`,
  }));
}

function unary({ operator, operand }: ts.PrefixUnaryExpression): readonly Mutation[] {
  return operator === SyntaxKind.ExclamationToken || operator === SyntaxKind.MinusToken
    ? [{ replacement: operand, text: operand.getText() }]
    : [];
}

function call(node: ts.CallExpression, factory: ts.NodeFactory): readonly Mutation[] {
  const { expression } = node;
  if (!ts.isPropertyAccessExpression(expression)) return [];
  const name = METHODS.get(expression.name.text);
  if (name === undefined) return [];
  const method = factory.updatePropertyAccessExpression(
    expression,
    expression.expression,
    factory.createIdentifier(name),
  );
  const replacement = factory.updateCallExpression(node, method, node.typeArguments, node.arguments);
  return [{ replacement, text: `.${name}(…)` }];
}

function isText(node: ts.Expression): boolean {
  return (
    ts.isStringLiteralLike(node) ||
    ts.isTemplateExpression(node) ||
    (ts.isBinaryExpression(node) && [node.left, node.right].some(isText))
  );
}
