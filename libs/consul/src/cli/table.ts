import type { Terminal } from './terminal.js';

export type Tone = 'good' | 'doubtful' | 'bad' | 'quiet';

/** Of the colours that every terminal has. */
const CODES: Readonly<Record<Tone, number>> = { good: 32, doubtful: 33, bad: 31, quiet: 90 };

export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

/** Columns with a heading, as wide as they have to be. Colours are for a terminal only: a program reads the same without them. */
export function table(
  { isTerminal }: Pick<Terminal, 'isTerminal'>,
  headings: readonly string[],
  rows: readonly (readonly (Cell | string)[])[],
): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell)));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => printable(row[column]?.text ?? '').length)),
  );
  const line = (row: readonly Cell[]): string =>
    row
      .map(({ text, tone }, column) => {
        const plain = printable(text);
        const padding = column === row.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - plain.length);
        return painted(plain, isTerminal ? tone : undefined) + padding;
      })
      .join('  ')
      .trimEnd();
  const head = line(headings.map((text) => ({ text: text.toUpperCase(), tone: 'quiet' })));
  return `${[head, ...cells.map(line)].join('\n')}\n`;
}

export function painted(text: string, tone: Tone | undefined): string {
  return tone === undefined ? text : `\u001b[${CODES[tone]}m${text}\u001b[0m`;
}

/** What a registry holds may move the cursor of a terminal, or worse. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

export function toneOf(status: string): Tone {
  switch (status) {
    case 'passing':
    case 'eligible':
    case 'ok':
      return 'good';
    case 'warning':
    case 'maintenance':
    case 'suspect':
      return 'doubtful';
    default:
      return 'bad';
  }
}
