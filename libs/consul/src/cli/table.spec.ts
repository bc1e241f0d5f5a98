import { describe, expect, it } from '@jest/globals';
import { table } from './table.js';

describe('a table', () => {
  it('has columns as wide as they have to be, and nothing behind the last one', () => {
    const rows = [['a', 'passing'], ['longer', { text: 'x' }], ['b']];
    expect(table({ isTerminal: false }, ['id', 'status'], rows)).toBe(
      ['ID      STATUS', 'a       passing', 'longer  x', 'b', ''].join('\n'),
    );
  });

  it('has colours on a terminal only, and no characters that would move its cursor', () => {
    const rows = [[{ text: 'up\u001b[2J', tone: 'good' as const }, 'x']];
    expect(table({ isTerminal: false }, ['a', 'b'], rows)).toBe('A       B\nup [2J  x\n');
    expect(table({ isTerminal: true }, ['a', 'b'], rows)).toBe(
      '\u001b[90mA\u001b[0m       \u001b[90mB\u001b[0m\n\u001b[32mup [2J\u001b[0m  x\n',
    );
  });
});
