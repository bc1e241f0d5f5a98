import { describe, expect, it } from '@jest/globals';
import { closeNames } from './close-names.js';

describe('closeNames', () => {
  it('has those that differ in few letters, the closest first', () => {
    expect(closeNames('greting', ['orders', 'greetings', 'greeting', 'gretings'])).toEqual([
      'greeting',
      'gretings',
    ]);
  });

  it('never has the name itself, but has it in other letters', () => {
    expect(closeNames('greeting', ['greeting'])).toEqual([]);
    expect(closeNames('greeting', ['Greeting', 'greeting'])).toEqual(['Greeting']);
  });
});
