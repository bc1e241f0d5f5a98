/** A text with references: each part is a text, or a reference with the text that is used when there is no such value. */
export type TemplatePart = string | Reference;

export interface Reference {
  readonly name: string;
  readonly defaultValue: readonly TemplatePart[] | undefined;
}

const MAX_DEPTH = 16;

/**
 * Reads `${name}` and `${name:default}`; a default may contain references, and `$${` stands for `${`.
 *
 * @throws Error when a reference has no end
 */
export function parseTemplate(text: string): readonly TemplatePart[] {
  const { parts, end } = readParts(text, 0, 0);
  return end === text.length ? parts : [text];
}

function readParts(text: string, from: number, depth: number): { parts: TemplatePart[]; end: number } {
  const parts: TemplatePart[] = [];
  let plain = '';
  const addPlain = (): void => {
    if (plain !== '') parts.push(plain);
    plain = '';
  };
  let at = from;
  while (at < text.length) {
    if (text.startsWith('$${', at)) {
      plain += '${';
      at += 3;
    } else if (text.startsWith('${', at)) {
      addPlain();
      const { reference, end } = readReference(text, at + 2, depth + 1);
      parts.push(reference);
      at = end;
    } else if (depth > 0 && text[at] === '}') break;
    else plain += text.charAt(at++);
  }
  addPlain();
  return { parts, end: at };
}

function readReference(text: string, from: number, depth: number): { reference: Reference; end: number } {
  if (depth > MAX_DEPTH) throw new Error(`references in defaults more than ${MAX_DEPTH} deep`);
  const nameEnd = from + (/[:}]/.exec(text.slice(from))?.index ?? text.length);
  const name = text.slice(from, nameEnd).trim();
  if (nameEnd >= text.length || name === '') throw new Error('a reference "${" without a name and "}"');
  if (text[nameEnd] === '}') return { reference: { name, defaultValue: undefined }, end: nameEnd + 1 };
  const { parts, end } = readParts(text, nameEnd + 1, depth);
  if (text[end] !== '}') throw new Error(`a reference "\${${name}:" without its "}"`);
  return { reference: { name, defaultValue: parts }, end: end + 1 };
}
