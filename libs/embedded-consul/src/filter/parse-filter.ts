/** An expression of Consul's filter language, as its documentation gives the grammar. */
export type FilterExpression =
  | { kind: 'and' | 'or'; left: FilterExpression; right: FilterExpression }
  | { kind: 'not'; of: FilterExpression }
  | { kind: 'match'; operator: FilterOperator; negated: boolean; selector: string[]; value: string };
export type FilterOperator = 'equal' | 'in' | 'contains' | 'empty' | 'matches';

interface Token {
  readonly text: string;
  /** Set for a quoted string. */
  readonly quoted?: string;
}

/** @throws Error when it is no expression */
export function parseFilter(text: string): FilterExpression {
  const tokens = tokenize(text);
  const parser = new FilterParser(tokens);
  const expression = parser.or();
  if (!parser.done) throw new Error(`no match found at ${JSON.stringify(parser.peek?.text ?? '')}`);
  return expression;
}

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(==|!=|\(|\)|\[|\]|\.)|([A-Za-z0-9_/-]+))/y;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Error(`1:${at + 1} (${at}): no match found`);
    const [, quoted, symbol, word] = match;
    if (quoted === undefined) tokens.push({ text: symbol ?? word ?? '' });
    else {
      const value = quoted.startsWith('"') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
      tokens.push({ text: quoted, quoted: value });
    }
  }
  return tokens;
}

class FilterParser {
  #at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  get done(): boolean {
    return this.#at >= this.tokens.length;
  }

  get peek(): Token | undefined {
    return this.tokens[this.#at];
  }

  or(): FilterExpression {
    const left = this.#and();
    return this.#word('or') ? { kind: 'or', left, right: this.or() } : left;
  }

  #and(): FilterExpression {
    const left = this.#unary();
    return this.#word('and') ? { kind: 'and', left, right: this.#and() } : left;
  }

  #unary(): FilterExpression {
    if (this.#word('not')) return { kind: 'not', of: this.#unary() };
    if (!this.#word('(')) return this.#match();
    const inner = this.or();
    this.#expect(')');
    return inner;
  }

  #match(): FilterExpression {
    const first = this.#at;
    const asValue = this.#next();
    const isIn = this.#word('in');
    if (isIn || (this.peek?.text === 'not' && this.tokens[this.#at + 1]?.text === 'in')) {
      if (!isIn) this.#at += 2;
      return this.#matched('in', !isIn, this.#selector(), asValue.quoted ?? asValue.text);
    }
    this.#at = first;
    const selector = this.#selector();
    if (this.#word('==')) return this.#matched('equal', false, selector, this.#value());
    if (this.#word('!=')) return this.#matched('equal', true, selector, this.#value());
    if (this.#word('contains')) return this.#matched('contains', false, selector, this.#value());
    if (this.#word('matches')) return this.#matched('matches', false, selector, this.#value());
    if (this.#word('is')) {
      const negated = this.#word('not');
      this.#expect('empty');
      return this.#matched('empty', negated, selector, '');
    }
    this.#expect('not');
    if (this.#word('contains')) return this.#matched('contains', true, selector, this.#value());
    this.#expect('matches');
    return this.#matched('matches', true, selector, this.#value());
  }

  #matched(operator: FilterOperator, negated: boolean, selector: string[], value: string): FilterExpression {
    return { kind: 'match', operator, negated, selector, value };
  }

  #selector(): string[] {
    const path = [this.#identifier()];
    for (;;) {
      if (this.#word('.')) path.push(this.#identifier());
      else if (this.#word('[')) {
        const key = this.#next();
        if (key.quoted === undefined) throw new Error('no match found, expected: a quoted key');
        path.push(key.quoted);
        this.#expect(']');
      } else return path;
    }
  }

  #identifier(): string {
    const token = this.#next();
    if (token.quoted !== undefined || !/^[A-Za-z][A-Za-z0-9_/-]*$/.test(token.text))
      throw new Error('no match found');
    return token.text;
  }

  #value(): string {
    const token = this.#next();
    if (/^(==|!=|\(|\)|\[|\]|\.)$/.test(token.text)) throw new Error('no match found');
    return token.quoted ?? token.text;
  }

  #next(): Token {
    const token = this.peek;
    if (!token) throw new Error('no match found, unexpected end');
    this.#at++;
    return token;
  }

  #word(text: string): boolean {
    if (this.peek?.text !== text) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#word(text)) throw new Error(`no match found, expected: ${JSON.stringify(text)}`);
  }
}
