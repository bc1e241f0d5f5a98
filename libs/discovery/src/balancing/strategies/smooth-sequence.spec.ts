import { describe, expect, it } from '@jest/globals';
import { smoothSequence } from './smooth-sequence.js';

const turnsOf = (sequence: Int32Array, count: number): number[] =>
  Array.from({ length: count }, (_, at) => sequence.filter((index) => index === at).length);

describe('smoothSequence', () => {
  it('gives each index its turns, spread over the round', () => {
    expect([...smoothSequence([1, 1, 1])]).toEqual([0, 2, 1]);
    expect([...smoothSequence([5, 1, 1])]).toEqual([0, 0, 2, 0, 0, 1, 0]);
    expect([...smoothSequence([3, 3])]).toEqual([0, 1]);
  });

  it('is as short as the weights allow', () => {
    expect(turnsOf(smoothSequence([10, 20, 30]), 3)).toEqual([1, 2, 3]);
    expect(turnsOf(smoothSequence([7]), 1)).toEqual([1]);
    expect(turnsOf(smoothSequence([4_999, 5_001]), 2)).toEqual([4_999, 5_001]);
  });

  it('rounds weights that are no integers, or would make too long a round', () => {
    expect(turnsOf(smoothSequence([4_999, 5_002]), 2)).toEqual([4_999, 5_001]);
    expect(turnsOf(smoothSequence([0.5, 0.25, 0.25]), 3)).toEqual([5_000, 2_500, 2_500]);
    expect(turnsOf(smoothSequence([1, 0.5]), 2)).toEqual([6_667, 3_333]);
    expect(turnsOf(smoothSequence([1e9, 1]), 2)).toEqual([10_000, 1]);
  });

  it('has ten turns on average for each of more than a thousand', () => {
    const weights = Array.from({ length: 2_000 }, (_, at) => (at < 1_000 ? 0.5 : 1.5));
    const turns = turnsOf(smoothSequence(weights), 2_000);
    expect([turns[0], turns[1_999]]).toEqual([5, 15]);
  });
});
