import { describe, expect, it } from '@jest/globals';
import { MIN_CONNECTIONS, shareConnections } from './connection-budget.js';

describe('shareConnections', () => {
  it('gives watches 62 connections by default, most of them to lists', () => {
    const { watch, list } = shareConnections();
    expect([watch, list]).toEqual([16, 46]);
  });

  it('never hands out more connections than there are, and at least one to each kind', () => {
    for (let total = MIN_CONNECTIONS; total <= 500; total++) {
      const shares = Object.values(shareConnections(total));
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total);
      expect(Math.min(...shares)).toBeGreaterThanOrEqual(1);
    }
  });
});
