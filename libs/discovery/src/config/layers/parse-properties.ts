/** A line of a `.properties` file. */
export interface Property {
  readonly name: string;
  readonly text: string;
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

/**
 * Reads a `.properties` file: `name=value`, `name: value` or `name value`; `#` and `!` begin a comment, a backslash at the end
 * continues a line. Source: the documentation of `java.util.Properties.load`.
 */
export function parseProperties(text: string): readonly Property[] {
  return logicalLines(text).map((line) => {
    // The first separator that is not escaped.
    const match = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/s.exec(line);
    return { name: unescape(match?.[1] ?? ''), text: unescape(match?.[2] ?? '') };
  });
}

function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let continued: string[] | undefined;
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.trimStart();
    if (continued === undefined && (line === '' || /^[#!]/.test(line))) continue;
    const parts = continued ?? [];
    // An even number of backslashes at the end are backslashes of the value.
    const isContinued = backslashesAtEnd(line) % 2 === 1;
    parts.push(isContinued ? line.slice(0, -1) : line);
    continued = isContinued ? parts : undefined;
    if (!isContinued) lines.push(parts.join(''));
  }
  if (continued !== undefined) lines.push(continued.join(''));
  return lines;
}

function backslashesAtEnd(line: string): number {
  let at = line.length;
  while (line[at - 1] === '\\') at--;
  return line.length - at;
}

function unescape(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, code: string | undefined, character: string) =>
    code === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(parseInt(code, 16)),
  );
}
