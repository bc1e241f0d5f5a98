import { describe, expect, it } from '@jest/globals';
import { decodedText } from './decoded-text.js';

describe('a part of a URL', () => {
  it.each([
    ['ge%3Aheim', 'ge:heim'],
    ['gr%C3%BCn', 'grün'],
    ['100%', '100%'],
    ['100%%3A', '100%:'],
    ['%zz', '%zz'],
    ['no%E9utf', 'no%E9utf'],
  ])('%s stands for %s', (part, text) => {
    expect(decodedText(part)).toBe(text);
  });
});
