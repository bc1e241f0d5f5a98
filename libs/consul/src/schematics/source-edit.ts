import type { Tree } from '@angular-devkit/schematics';

/** An app that cannot be changed: the message says what was looked for, and what to do by hand. */
export class SchematicError extends Error {}

export function readText(tree: Tree, path: string): string | undefined {
  return tree.exists(path) ? tree.readText(path) : undefined;
}

/** Inserts lines below a position of a text, indented as the line that it is in. */
export function insertBelow(text: string, position: number, line: string): string {
  const lineStart = text.lastIndexOf('\n', position - 1) + 1;
  const indent = /^[ \t]*/.exec(text.slice(lineStart))?.[0] ?? '';
  const lineEnd = text.indexOf('\n', position);
  const at = lineEnd < 0 ? text.length : lineEnd;
  return `${text.slice(0, at)}\n${indent}${line}${text.slice(at)}`;
}
