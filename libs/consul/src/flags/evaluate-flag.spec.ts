import { describe, expect, it } from '@jest/globals';
import { evaluateFlag } from './evaluate-flag.js';

describe('evaluateFlag', () => {
  const flag = {
    value: 'off',
    rules: [
      { keys: ['alice', 'bob'], value: 'named' },
      { percent: 20, value: 'share' },
    ],
  };

  it('is its value, unless it has rules', () => {
    for (const value of [true, 'x', 0, ['a'], { a: 1 }, { value: 1, other: 2 }])
      expect(evaluateFlag('f', value, 'alice')).toEqual({ value, reason: 'STATIC' });
    expect(evaluateFlag('f', { value: 5 }, 'alice')).toEqual({ value: 5, reason: 'STATIC' });
  });

  it('is decided by the first rule that applies', () => {
    expect(evaluateFlag('f', flag, 'alice')).toEqual({ value: 'named', reason: 'TARGETING_MATCH' });
    expect(evaluateFlag('f', flag, undefined)).toEqual({ value: 'off', reason: 'DEFAULT' });
  });

  it('gives a share of the callers the same answer each time, and a larger share includes a smaller one', () => {
    const callers = Array.from({ length: 2_000 }, (_, n) => `user-${n}`);
    const within = (key: string, percent: number): string[] =>
      callers.filter((caller) => {
        const evaluation = evaluateFlag(key, { value: false, rules: [{ percent, value: true }] }, caller);
        return 'value' in evaluation && evaluation.value === true;
      });
    const [ten, thirty] = [within('f', 10), within('f', 30)];
    expect(ten.length).toBeGreaterThan(140);
    expect(ten.length).toBeLessThan(260);
    expect(ten.filter((caller) => !thirty.includes(caller))).toEqual([]);
    expect(within('f', 0)).toEqual([]);
    expect(within('f', 100)).toHaveLength(2_000);
    expect(within('g', 10)).not.toEqual(ten);
  });

  it.each([
    [{ value: 1, rules: {} }, /rules must be a list/],
    [{ value: 1, rules: [5] }, /must have a value/],
    [{ value: 1, rules: [{ keys: ['a'] }] }, /must have a value/],
    [{ value: 1, rules: [{ value: 2 }] }, /either keys or percent/],
    [{ value: 1, rules: [{ value: 2, keys: ['a'], percent: 5 }] }, /either keys or percent/],
    [{ value: 1, rules: [{ value: 2, keys: 'a' }] }, /a list of texts/],
    [{ value: 1, rules: [{ value: 2, percent: 120 }] }, /from 0 to 100/],
    [{ value: 1, rules: [{ value: 2, percent: '20' }] }, /from 0 to 100/],
  ])('refuses %j', (broken, message) => {
    const evaluation = evaluateFlag('f', broken, 'alice');
    expect('error' in evaluation && evaluation.error).toMatch(message);
  });
});
