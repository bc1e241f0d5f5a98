import { describe, expect, it } from '@jest/globals';
import { textValue } from './text-value.js';

describe('textValue', () => {
  it.each<[string, unknown]>([
    ['100', 100],
    [' 100\n', 100],
    ['-1.5', -1.5],
    ['0', 0],
    ['true', true],
    ['false\n', false],
    ['null', null],
    ['"100"', '100'],
    ['["a", 1]', ['a', 1]],
    ['{"rate": 1}', { rate: 1 }],
  ])('%j is a value', (text, value) => {
    expect(textValue(text)).toEqual(value);
  });

  it.each([
    '',
    '1.10',
    '007',
    '1e5',
    '0x10',
    '+1',
    '12345678901234567890',
    'Infinity',
    'NaN',
    '-0',
    'yes',
    'True',
    '[INFO] up',
    '{{ name }}',
    ' a ',
  ])('%j is a text', (text) => {
    expect(textValue(text)).toBe(text);
  });
});
