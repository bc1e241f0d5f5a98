import { describe, expect, it } from '@jest/globals';
import { parseDuration, toMilliseconds } from './duration.js';

describe('parseDuration', () => {
  it.each([
    [1500, 1500],
    ['500ms', 500],
    ['10s', 10_000],
    ['1m', 60_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['0s', 0],
  ])('reads %p as %p ms', (value, expected) => {
    expect(parseDuration(value)).toBe(expected);
  });

  it.each(['9'.repeat(400), '', '10', '1d', 's', '10 s', '-1s', '10sx', -1, NaN, Infinity])(
    'refuses %p',
    (value) => {
      expect(parseDuration(value)).toBeUndefined();
    },
  );

  it('names the field, the value and the cure', () => {
    expect(() => toMilliseconds('1d', 'service.check.interval')).toThrow(
      /service\.check\.interval: "1d" is not a duration\. Use milliseconds or a string such as '500ms'/,
    );
  });
});
