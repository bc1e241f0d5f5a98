import { describe, expect, it } from '@jest/globals';
import { parseProperties } from './parse-properties.js';

describe('parseProperties', () => {
  it('reads names, separators, comments, escapes and continued lines', () => {
    const text = [
      '# a comment',
      '! another',
      '',
      'limits.rate=100',
      'name : books ',
      '  spaced value with spaces',
      'path=C\\:\\\\temp\\tx',
      'colon\\:key=1',
      'long=one,\\',
      '    two,\\',
      '    three',
      'unicode=\\u00e4',
      'empty=',
      'alone',
      'backslashes=a\\\\',
      'equals==x',
    ].join('\r\n');
    expect(Object.fromEntries(parseProperties(text).map(({ name, text: value }) => [name, value]))).toEqual({
      'limits.rate': '100',
      name: 'books ',
      spaced: 'value with spaces',
      path: 'C:\\temp\tx',
      'colon:key': '1',
      long: 'one,two,three',
      unicode: 'ä',
      empty: '',
      alone: '',
      backslashes: 'a\\',
      equals: '=x',
    });
  });

  it('reads many backslashes in no time', () => {
    const text = `a=${'\\'.repeat(400_000)}x`;
    expect(parseProperties(text)[0]?.text).toHaveLength(200_001);
  });

  it('reads a value of many lines in no time', () => {
    const text = `a=${'b\\\n'.repeat(170_000)}c`;
    expect(parseProperties(text)[0]?.text).toHaveLength(170_001);
  });

  it('takes the end of the text for the end of a continued line', () => {
    expect(parseProperties('a=1\\')).toEqual([{ name: 'a', text: '1' }]);
  });
});
