/** A number as it was written: whether `1e3` is an integer is for the decoder to say. */
export class GoNumber {
  constructor(readonly text: string) {}
}

export type GoJson = null | boolean | string | GoNumber | GoJson[] | GoObject;

/** Keys in order and as written; a key may occur twice. */
export class GoObject {
  constructor(readonly entries: readonly (readonly [key: string, value: GoJson])[]) {}
}

/** The message of Go's encoding/json. */
export class GoJsonError extends Error {}

/** Reads the first JSON value of a text, with the error messages of Go's decoder; ignores the rest. */
export function parseGoJson(text: string): GoJson {
  return new Parser(text).first();
}

class Parser {
  #at = 0;

  constructor(private readonly text: string) {}

  first(): GoJson {
    this.#space();
    if (this.#at >= this.text.length) throw new GoJsonError('EOF');
    return this.#value();
  }

  #value(): GoJson {
    this.#space();
    const char = this.#peek();
    if (char === '{') return this.#object();
    if (char === '[') return this.#array();
    if (char === '"') return this.#string();
    if (char === '-' || isDigit(char)) return this.#number();
    if (char === 't') return this.#literal('true', true);
    if (char === 'f') return this.#literal('false', false);
    if (char === 'n') return this.#literal('null', null);
    throw this.#unexpected('looking for beginning of value');
  }

  #object(): GoObject {
    const entries: [string, GoJson][] = [];
    this.#at++;
    this.#space();
    if (this.#peek() === '}') {
      this.#at++;
      return new GoObject(entries);
    }
    for (;;) {
      this.#space();
      if (this.#peek() !== '"') throw this.#unexpected('looking for beginning of object key string');
      const key = this.#string();
      this.#space();
      if (this.#peek() !== ':') throw this.#unexpected('after object key');
      this.#at++;
      entries.push([key, this.#value()]);
      this.#space();
      const char = this.#peek();
      if (char !== ',' && char !== '}') throw this.#unexpected('after object key:value pair');
      this.#at++;
      if (char === '}') return new GoObject(entries);
    }
  }

  #array(): GoJson[] {
    const items: GoJson[] = [];
    this.#at++;
    this.#space();
    if (this.#peek() === ']') {
      this.#at++;
      return items;
    }
    for (;;) {
      items.push(this.#value());
      this.#space();
      const char = this.#peek();
      if (char !== ',' && char !== ']') throw this.#unexpected('after array element');
      this.#at++;
      if (char === ']') return items;
    }
  }

  #string(): string {
    const start = this.#at++;
    for (;;) {
      const char = this.#peek();
      if (char === '"') break;
      if (char < ' ') throw this.#unexpected('in string literal');
      this.#at++;
      if (char !== '\\') continue;
      const escape = this.#peek();
      if (!'"\\/bfnrtu'.includes(escape)) throw this.#unexpected('in string escape code');
      this.#at++;
      for (let digit = 0; escape === 'u' && digit < 4; digit++, this.#at++) {
        if (!/[0-9a-fA-F]/.test(this.#peek())) throw this.#unexpected('in \\u hexadecimal character escape');
      }
    }
    this.#at++;
    return JSON.parse(this.text.slice(start, this.#at)) as string;
  }

  #number(): GoNumber {
    const start = this.#at;
    if (this.text[this.#at] === '-') this.#at++;
    const digits = (): void => {
      if (!isDigit(this.#peek())) throw this.#unexpected('in numeric literal');
      while (isDigit(this.text[this.#at])) this.#at++;
    };
    if (this.#peek() === '0') this.#at++;
    else digits();
    if (this.text[this.#at] === '.') {
      this.#at++;
      if (!isDigit(this.#peek())) throw this.#unexpected('after decimal point in numeric literal');
      digits();
    }
    if (/[eE]/.test(this.text[this.#at] ?? '')) {
      this.#at++;
      if (/[+-]/.test(this.#peek())) this.#at++;
      if (!isDigit(this.#peek())) throw this.#unexpected('in exponent of numeric literal');
      digits();
    }
    return new GoNumber(this.text.slice(start, this.#at));
  }

  #literal<T extends GoJson>(word: string, value: T): T {
    this.#at++;
    for (const expected of word.slice(1)) {
      if (this.#peek() !== expected) throw this.#unexpected(`in literal ${word} (expecting '${expected}')`);
      this.#at++;
    }
    return value;
  }

  #space(): void {
    while (/[ \t\r\n]/.test(this.text[this.#at] ?? '')) this.#at++;
  }

  #peek(): string {
    const char = this.text[this.#at];
    if (char === undefined) throw new GoJsonError('unexpected EOF');
    return char;
  }

  #unexpected(where: string): GoJsonError {
    const char = String.fromCodePoint(this.text.codePointAt(this.#at) ?? 0);
    return new GoJsonError(`invalid character ${quoteChar(char)} ${where}`);
  }
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= '0' && char <= '9';
}

/** As Go quotes a character. */
function quoteChar(char: string): string {
  if (char === "'") return `'\\''`;
  if (char === '"') return `'"'`;
  const known: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\\': '\\\\' };
  const escaped = known[char];
  if (escaped !== undefined) return `'${escaped}'`;
  return char < ' ' ? `'\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}'` : `'${char}'`;
}
