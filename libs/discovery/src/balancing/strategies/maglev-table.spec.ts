import { describe, expect, it } from '@jest/globals';
import { hash } from '../hash.js';
import { MaglevTable } from './maglev-table.js';

const named = (count: number, weight = 1): { name: string; weight: number }[] =>
  Array.from({ length: count }, (_, at) => ({ name: `target-${at}`, weight }));

function shares(table: MaglevTable, count: number): number[] {
  const slots = Array.from({ length: count }, () => 0);
  for (let slot = 0; slot < table.size; slot++) {
    const at = table.at(slot);
    slots[at] = (slots[at] ?? 0) + 1 / table.size;
  }
  return slots;
}

describe('MaglevTable', () => {
  it('has the least prime of its sizes with a hundred slots for each target', () => {
    expect([1, 40, 41, 655, 656].map((count) => new MaglevTable(named(count)).size)).toEqual([
      ...[4_093, 4_093, 65_537, 65_537, 1_048_573],
    ]);
  });

  // Clients of other versions have to agree on it.
  it('gives each target its slots in the order of the paper: an offset, and a skip from one to the next', () => {
    const targets = named(3);
    const table = new MaglevTable(targets);
    for (const [at, { name }] of targets.entries()) {
      const offset = hash(name, 2) % table.size;
      const skip = (hash(name, 1) % (table.size - 1)) + 1;
      for (let n = 0; n < 4; n++) expect(table.at((offset + n * skip) % table.size)).toBe(at);
    }
    expect(table.at(table.size + 17)).toBe(table.at(17));
  });

  it('is even to one per cent of a share', () => {
    for (const share of shares(new MaglevTable(named(10)), 10))
      expect(Math.abs(share * 10 - 1)).toBeLessThan(0.01);
  });

  it('gives lighter targets fewer slots, down to a hundredth', () => {
    const [heavy = 0, half = 0, least = 0, less = 0] = shares(
      new MaglevTable([
        { name: 'a', weight: 10 },
        { name: 'b', weight: 5 },
        { name: 'c', weight: 0.1 },
        { name: 'd', weight: 0.001 },
      ]),
      4,
    );
    expect(half / heavy).toBeCloseTo(0.5, 2);
    expect(least / heavy).toBeCloseTo(0.01, 2);
    expect(less / heavy).toBeCloseTo(0.01, 2);
  });
});
