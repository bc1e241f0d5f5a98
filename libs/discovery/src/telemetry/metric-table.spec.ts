import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { ATTRIBUTES, METRICS } from './metric-table.js';

const DOCUMENT = fileURLToPath(new URL('../../docs/telemetry.md', import.meta.url));

/** The cells of the rows of all tables, without what only formats them. */
function rowsOf(markdown: string): string[][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.startsWith('| -'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '').replaceAll('\\_', '_')),
    );
}

describe('the table of metrics', () => {
  const rows = rowsOf(readFileSync(DOCUMENT, 'utf8'));

  it.each(Object.values(METRICS))('documents $name', ({ name, type, unit, attributes, description }) => {
    expect(rows).toContainEqual([name, type, unit, attributes.join(', ') || 'none', description]);
  });

  it('documents every attribute, and nothing that is not there', () => {
    for (const [name, values] of Object.entries(ATTRIBUTES))
      expect(rows).toContainEqual([name, values.replaceAll('`', '')]);
    // And the two headings.
    expect(rows).toHaveLength(Object.keys(METRICS).length + Object.keys(ATTRIBUTES).length + 2);
  });
});
