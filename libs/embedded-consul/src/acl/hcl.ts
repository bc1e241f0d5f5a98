/** Where something stands, as messages write it: `1:20`, or `-` in JSON. */
export type Position = string;

export type HclValue =
  | { readonly kind: 'text'; readonly text: string; readonly at: Position }
  | { readonly kind: 'bool'; readonly at: Position }
  | { readonly kind: 'list'; readonly of: readonly HclValue[]; readonly at: Position }
  | { readonly kind: 'object'; readonly items: readonly HclItem[]; readonly at: Position };

/** `key "label" { … }` or `key = value`. */
export interface HclItem {
  readonly key: string;
  readonly labels: readonly string[];
  readonly value: HclValue;
}

export class HclError extends Error {}

interface Token {
  readonly kind: 'IDENT' | 'STRING' | 'NUMBER' | 'BOOL' | keyof typeof SIGNS_OF | 'EOF';
  readonly text: string;
  readonly at: Position;
}

const SIGNS_OF = {
  LBRACE: '{',
  RBRACE: '}',
  LBRACK: '[',
  RBRACK: ']',
  ASSIGN: '=',
  COMMA: ',',
} as const;
const SIGNS: ReadonlyMap<string, keyof typeof SIGNS_OF> = new Map(
  Object.entries(SIGNS_OF).map(([kind, sign]) => [sign, kind as keyof typeof SIGNS_OF]),
);
const SPACE = /\s*/y;
const COMMENT = /(?:#|\/\/)[^\n]*/y;
const IDENT = /[\p{L}_][\p{L}\p{N}_.-]*/uy;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const STRING = /"(?:[^"\\\n]|\\.)*"/y;
const HEREDOC = /<<-?(\w+)\n([\s\S]*?)^[ \t]*\1$/my;

/**
 * The first version of HashiCorp's configuration language, as far as rules need it, and JSON, which it takes instead. Its errors are those of
 * the parser in Consul, where the column at the end of a text is one too high.
 *
 * @throws HclError
 */
export function parseHcl(text: string): readonly HclItem[] {
  return text.trimStart().startsWith('{') ? jsonItems(text) : new Parser(text).items(false);
}

class Parser {
  readonly #text: string;
  #at = 0;
  #next: Token;

  constructor(text: string) {
    this.#text = text;
    this.#next = this.#scan();
  }

  items(isNested: boolean): readonly HclItem[] {
    const items: HclItem[] = [];
    while (this.#next.kind !== 'EOF' && !(isNested && this.#next.kind === 'RBRACE')) {
      items.push(this.#item());
      if (this.#next.kind === 'COMMA') this.#take();
    }
    return items;
  }

  #item(): HclItem {
    const names: Token[] = [];
    while (this.#next.kind === 'IDENT' || this.#next.kind === 'STRING') names.push(this.#take());
    const [key, ...labels] = names;
    const { kind, at } = this.#next;
    if (kind === 'EOF') {
      const given = names.map(({ text }) => text).join(' ');
      throw failure(at, `key '${given}' expected start of object ('{') or assignment ('=')`);
    }
    if (kind !== 'ASSIGN' && kind !== 'LBRACE')
      throw failure(at, `expected: IDENT | STRING | ASSIGN | LBRACE got: ${kind}`);
    if (key === undefined) throw failure(at, 'no object keys found!');
    if (kind === 'ASSIGN') {
      if (labels.length > 0) throw failure(at, 'nested object expected: LBRACE got: ASSIGN');
      this.#take();
    }
    return { key: key.text, labels: labels.map(({ text }) => text), value: this.#value() };
  }

  #value(): HclValue {
    const { kind, text, at } = this.#next;
    switch (kind) {
      case 'LBRACE':
        return this.#object();
      case 'LBRACK':
        return this.#list();
      case 'STRING':
      case 'NUMBER':
        this.#take();
        return { kind: 'text', text, at };
      case 'BOOL':
        this.#take();
        return { kind: 'bool', at };
      case 'EOF':
        return { kind: 'text', text: '', at };
      default:
        throw failure(at, `Unknown token: ${at} ${kind} ${text}`);
    }
  }

  #object(): HclValue {
    this.#take();
    const { at } = this.#next;
    const items = this.items(true);
    const end = this.#take();
    if (end.kind !== 'RBRACE') throw failure(end.at, `object expected closing RBRACE got: ${end.kind}`);
    return { kind: 'object', items, at };
  }

  #list(): HclValue {
    const { at } = this.#take();
    const of: HclValue[] = [];
    for (;;) {
      const { kind: found } = this.#next;
      if (found === 'RBRACK') break;
      if (found === 'EOF')
        throw failure(this.#position(this.#text.length), 'unexpected token while parsing list: EOF');
      of.push(this.#value());
      const { kind, at: next } = this.#next;
      if (kind === 'COMMA') this.#take();
      else if (kind !== 'RBRACK')
        throw failure(next, `error parsing list, expected comma or list end, got: ${kind}`);
    }
    this.#take();
    return { kind: 'list', of, at };
  }

  #take(): Token {
    const token = this.#next;
    this.#next = this.#scan();
    return token;
  }

  #scan(): Token {
    this.#skip();
    const at = this.#position(this.#at);
    const sign = this.#text[this.#at];
    if (sign === undefined) return { kind: 'EOF', text: '', at: this.#position(this.#at + 1) };
    const kind = SIGNS.get(sign);
    if (kind !== undefined) {
      this.#at++;
      return { kind, text: sign, at };
    }
    const ident = this.#match(IDENT)?.[0];
    if (ident !== undefined)
      return { kind: ident === 'true' || ident === 'false' ? 'BOOL' : 'IDENT', text: ident, at };
    const number = this.#match(NUMBER)?.[0];
    if (number !== undefined) return { kind: 'NUMBER', text: number, at };
    if (sign === '"') return { kind: 'STRING', text: this.#string(), at };
    const heredoc = this.#match(HEREDOC)?.[2];
    if (heredoc !== undefined) return { kind: 'STRING', text: heredoc, at };
    throw failure(at, 'illegal char');
  }

  #string(): string {
    const quoted = this.#match(STRING)?.[0];
    if (quoted === undefined) {
      const rest = this.#text.slice(this.#at).split('\n')[0] ?? '';
      throw failure(this.#position(this.#at + rest.length), 'literal not terminated');
    }
    return quoted.slice(1, -1).replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }

  #skip(): void {
    for (;;) {
      this.#match(SPACE);
      if (this.#match(COMMENT)) continue;
      if (!this.#text.startsWith('/*', this.#at)) return;
      const end = this.#text.indexOf('*/', this.#at);
      if (end < 0) throw failure(this.#position(this.#text.length), 'comment not terminated');
      this.#at = end + 2;
    }
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text) ?? undefined;
    this.#at += found?.[0].length ?? 0;
    return found;
  }

  #position(offset: number): Position {
    const before = this.#text.slice(0, offset);
    const line = before.lastIndexOf('\n', this.#text.length - 1);
    const past = Math.max(0, offset - this.#text.length);
    return `${before.split('\n').length}:${before.length - line + past}`;
  }
}

function failure(at: Position, message: string): HclError {
  return new HclError(`At ${at}: ${message}`);
}

/** Consul takes a text that ends too early, and does not look at what follows the first object. */
function jsonItems(text: string): readonly HclItem[] {
  const value = jsonValue(firstObject(text));
  return value.kind === 'object' ? value.items : [];
}

function firstObject(text: string): unknown {
  let depth = 0;
  let isQuoted = false;
  const open: string[] = [];
  for (let at = 0; at < text.length; at++) {
    const sign = text.charAt(at);
    if (isQuoted) {
      if (sign === '\\') at++;
      else isQuoted = sign !== '"';
    } else if (sign === '"') isQuoted = true;
    else if (sign === '{' || sign === '[') {
      depth++;
      open.push(sign === '{' ? '}' : ']');
    } else if (sign === '}' || sign === ']') {
      open.pop();
      if (--depth === 0) return parseJson(text.slice(0, at + 1));
    }
  }
  return parseJson(text.replace(/[\s,]*$/, '') + open.reverse().join(''));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new HclError('illegal char');
  }
}

function jsonValue(json: unknown): HclValue {
  const at = '-';
  if (typeof json === 'boolean' || json === null) return { kind: 'bool', at };
  if (Array.isArray(json)) return { kind: 'list', of: json.map(jsonValue), at };
  if (typeof json === 'string') return { kind: 'text', text: json, at };
  if (typeof json !== 'object') return { kind: 'text', text: JSON.stringify(json), at };
  const items = Object.entries(json).map(([key, value]) => ({ key, labels: [], value: jsonValue(value) }));
  return { kind: 'object', items, at };
}
