import { describe, expect, it } from '@jest/globals';
import { idOf, invalidReason, isEntry, isValidEntry } from './invalid-entry.js';

describe('an entry of a list of instances', () => {
  const node = { Node: 'n', Address: '10.0.0.1', Datacenter: 'dc1', Meta: { zone: 'a' } };
  const service = {
    ...{ ID: 'web-1', Service: 'web', Address: '10.0.0.2', Port: 80, Tags: ['a'], Meta: { version: '1' } },
    Weights: { Passing: 1, Warning: 0 },
  };
  const entry = (changes: object = {}, ofNode: object = {}, more: object = {}): object => ({
    ...{ Node: { ...node, ...ofNode }, Service: { ...service, ...changes } },
    Checks: [{ Status: 'passing' }],
    ...more,
  });

  it.each([
    ['as Consul writes it', entry()],
    ['with the lowest port', entry({ Port: 1 })],
    ['with the highest port and weight', entry({ Port: 65_535, Weights: { Passing: 65_535 } })],
    ['with the address of its node', entry({ Address: '' })],
    ['with no address of its own', entry({ Address: undefined })],
    ['with an address that is null', entry({ Address: null })],
    ['without tags, meta and weights', entry({ Tags: undefined, Meta: undefined, Weights: undefined })],
    ['with null for tags, meta and weights', entry({ Tags: null, Meta: null, Weights: null })],
    ['of a node without a datacenter and meta', entry({}, { Datacenter: undefined, Meta: null })],
    ['of a prepared query', entry({}, {}, { Checks: null })],
    ['without a check', entry({}, {}, { Checks: [] })],
  ])('is usable: %s', (_name, given) => {
    expect(invalidReason(given)).toBeUndefined();
    expect([isValidEntry(given), isEntry(given), idOf(given)]).toEqual([true, true, 'web-1']);
  });

  it.each([
    ['it lacks its id or its service', entry({ ID: 7 })],
    ['it lacks its id or its service', entry({ Service: undefined })],
    ['it lacks its id or its service', null],
    ['it lacks its node', entry({}, { Node: undefined })],
    ['its address is 7, not a string', entry({ Address: 7 })],
    ['its address is undefined, not a string', entry({ Address: '' }, { Address: undefined })],
    ['its address is "a b", not a host name or an IP address', entry({ Address: 'a b' })],
    ['its port is 0, not an integer from 1 to 65535', entry({ Port: 0 })],
    ['its port is 65536, not an integer from 1 to 65535', entry({ Port: 65_536 })],
    ['its port is 1.5, not an integer from 1 to 65535', entry({ Port: 1.5 })],
    ['its port is "80", not an integer from 1 to 65535', entry({ Port: '80' })],
    ['its tags are not an array of strings', entry({ Tags: 'a' })],
    ['its tags are not an array of strings', entry({ Tags: ['a', 1] })],
    ['its meta is not an object of strings', entry({ Meta: { a: 'x', b: 1 } })],
    ['its weight Passing is -1, not an integer from 0 to 65535', entry({ Weights: { Passing: -1 } })],
    ['its weight Passing is 65536, not an integer from 0 to 65535', entry({ Weights: { Passing: 65_536 } })],
    ['its weight Passing is "1", not an integer from 0 to 65535', entry({ Weights: { Passing: '1' } })],
    [
      'its weight Passing is 0.5, not an integer from 0 to 65535',
      entry({ Weights: { Warning: 1, Passing: 0.5 } }),
    ],
    ['its node has a datacenter or a meta that is not a string', entry({}, { Datacenter: 7 })],
    ['its node has a datacenter or a meta that is not a string', entry({}, { Meta: { a: 'x', b: 7 } })],
    ['its checks are not an array of checks', entry({}, {}, { Checks: undefined })],
    ['its checks are not an array of checks', entry({}, {}, { Checks: [{ Status: 'passing' }, {}] })],
  ])('is not: %s, case %#', (reason, given) => {
    expect(invalidReason(given)).toBe(reason);
    expect(isValidEntry(given)).toBe(false);
  });

  it('is none at all from something else than Consul', () => {
    expect([
      isEntry({ ID: 'a' }),
      isEntry(entry({ ID: 7 })),
      isEntry(entry({ Service: 7 })),
      isEntry('x'),
    ]).toEqual([...[false, false, false, false]]);
    expect([idOf(entry({ ID: 7 })), idOf(undefined)]).toEqual(['(no id)', '(no id)']);
  });
});
