import { describe, expect, it } from '@jest/globals';
import type { Target } from '../load-balancer.js';
import type { Xorshift } from '../xorshift.js';
import { AliasTable } from './alias-table.js';
import { WeightedDraw } from './weighted-draw.js';

const WHOLE = 2 ** 30;
const STEPS = 1_000;

/** Draws what it is given, in turns. */
class Scripted {
  readonly #below: readonly number[];
  #turn = 0;
  next = (): number => 0;

  constructor(...below: readonly number[]) {
    this.#below = below;
  }

  below = (count: number): number => (this.#below[this.#turn++ % this.#below.length] ?? 0) % count;

  get drawn(): number {
    return this.#turn;
  }
}

/** The chance of each index, by all that may be drawn. */
function chances(weights: readonly number[]): number[] {
  const table = new AliasTable(weights);
  const found = weights.map(() => 0);
  for (const column of weights.keys())
    for (let step = 0; step < STEPS; step++) {
      const random = { below: () => column, next: () => ((step + 0.5) * WHOLE) / STEPS };
      const at = table.draw(random as unknown as Xorshift);
      found[at] = (found[at] ?? 0) + 1 / (STEPS * weights.length);
    }
  return found;
}

const targetsOf = (...weights: readonly number[]): readonly Target[] =>
  weights.map((weight) => ({ weight }) as Target);

describe('AliasTable', () => {
  it.each([[[1, 1]], [[1, 3]], [[5, 1, 1, 1]], [[0.1, 0.2, 0.3, 0.4]], [[2, 2, 2, 10, 1]], [[1, 1_000]]])(
    'draws each index with a chance in proportion to its weight: %s',
    (weights) => {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [at, chance] of chances(weights).entries())
        expect(Math.abs(chance - (weights[at] ?? 0) / total)).toBeLessThan(1 / STEPS);
    },
  );
});

describe('WeightedDraw', () => {
  it('draws evenly, and without a table, where all weights are equal', () => {
    const random = new Scripted(2, 0, 1);
    const draw = new WeightedDraw(random as unknown as Xorshift);
    const targets = targetsOf(7, 7, 7);
    expect([draw.draw(targets), draw.draw(targets), draw.draw(targets)]).toEqual([2, 0, 1]);
    expect(targets.map((target) => draw.relative(target))).toEqual([1, 1, 1]);
  });

  it('knows weights relative to their average, of the latest list', () => {
    const draw = new WeightedDraw(new Scripted(0) as unknown as Xorshift);
    const targets = targetsOf(1, 2, 6);
    draw.draw(targets);
    expect(targets.map((target) => draw.relative(target))).toEqual([1 / 3, 2 / 3, 2]);
    draw.draw(targetsOf(4, 4));
    expect(targetsOf(4).map((target) => draw.relative(target))).toEqual([1]);
  });

  it('draws another one: each of the others has the same chance', () => {
    const targets = targetsOf(1, 1, 1, 1);
    const others = [0, 1, 2].map((below) => {
      const draw = new WeightedDraw(new Scripted(0, below) as unknown as Xorshift);
      draw.draw(targets);
      return draw.drawOther(targets, 1);
    });
    expect(others).toEqual([0, 2, 3]);
  });

  it('draws another one by weight, and after four tries any other', () => {
    const targets = targetsOf(1, 3);
    const random = new Scripted(1, 1, 1, 1, 1, 0);
    const draw = new WeightedDraw(random as unknown as Xorshift);
    draw.draw(targets);
    expect(draw.drawOther(targets, 1)).toBe(0);
    // One for the first draw, four tries, and the one that is left.
    expect(random.drawn).toBe(6);
    const lucky = new Scripted(1, 0);
    const again = new WeightedDraw(lucky as unknown as Xorshift);
    again.draw(targets);
    expect(again.drawOther(targets, 1)).toBe(0);
    expect(lucky.drawn).toBe(2);
  });
});
