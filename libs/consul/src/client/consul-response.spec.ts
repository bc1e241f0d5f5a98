import { describe, expect, it } from '@jest/globals';
import { toConsulResponse, nextIndex } from './consul-response.js';

describe('nextIndex', () => {
  it.each([
    [undefined, '7', '7'],
    ['7', '7', '7'],
    ['7', '9', '9'],
    ['9', '7', undefined],
    [undefined, '0', '1'],
    [undefined, undefined, '1'],
    ['7', undefined, undefined],
    ['7', 'garbage', undefined],
    ['9007199254740993', '9007199254740995', '9007199254740995'],
    ['18446744073709551614', '18446744073709551615', '18446744073709551615'],
    ['18446744073709551615', '18446744073709551614', undefined],
  ])('after %p, %p leads to %p', (previous, received, expected) => {
    expect(nextIndex(previous, received)).toBe(expected);
  });
});

describe('toConsulResponse', () => {
  it('reads the headers of Consul', () => {
    expect(
      toConsulResponse([], {
        'x-consul-index': '12',
        'x-consul-knownleader': 'true',
        'x-consul-lastcontact': '3',
        'x-consul-results-filtered-by-acls': 'true',
        'x-consul-contenthash': 'abc',
        'x-cache': 'HIT',
        age: '4',
      }),
    ).toEqual({
      body: [],
      index: '12',
      knownLeader: true,
      lastContactMs: 3,
      filteredByAcls: true,
      contentHash: 'abc',
      cache: { hit: true, ageSeconds: 4 },
    });
  });

  it('requires none of them', () => {
    expect(toConsulResponse('x', {})).toEqual({
      body: 'x',
      index: undefined,
      knownLeader: undefined,
      lastContactMs: undefined,
      filteredByAcls: false,
      contentHash: undefined,
      cache: undefined,
    });
  });
});
