import { describe, expect, it } from '@jest/globals';
import { Xorshift } from './xorshift.js';

/** The 32-bit generator of the paper, with the right shift of signed integers. */
function reference(seed: number, count: number): number[] {
  let state = BigInt.asIntN(32, BigInt(seed));
  return Array.from({ length: count }, () => {
    state = BigInt.asIntN(32, state ^ (state << 13n));
    state ^= state >> 17n;
    state = BigInt.asIntN(32, state ^ (state << 5n));
    return Number(BigInt.asUintN(30, state));
  });
}

describe('Xorshift', () => {
  it('is the generator of its source, from a state that is odd, and so never 0', () => {
    const random = new Xorshift(() => 0.25);
    expect(Array.from({ length: 50 }, () => random.next())).toEqual(reference(2 ** 29 + 1, 50));
    const least = new Xorshift(() => 0);
    expect(Array.from({ length: 50 }, () => least.next())).toEqual(reference(1, 50));
  });

  it('draws below a count', () => {
    const [random, same] = [new Xorshift(() => 0.7), new Xorshift(() => 0.7)];
    for (let n = 0; n < 50; n++) expect(random.below(7)).toBe(same.next() % 7);
  });
});
