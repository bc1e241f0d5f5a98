import { closeNames } from '@rookery/discovery/adapter';
import { describe, expect, it } from '@jest/globals';
import { explainAbsence } from './diagnose-service.js';

describe('why a service is absent', () => {
  it('names services that were meant', () => {
    expect(explainAbsence('inventori', ['consul', 'inventory', 'billing'])).toBe(
      'The registry lists none: is it running and registered? Did you mean "inventory"?',
    );
    expect(explainAbsence('search', ['consul', 'billing'])).toBe(
      'The registry lists none: is it running and registered?',
    );
  });

  it('says when the token may see nothing, or not the nodes, or only some services', () => {
    expect(explainAbsence('search', [])).toMatch(
      /may not read any service.*service "search" \{ policy = "read" \}/,
    );
    expect(explainAbsence('search', ['consul', 'search'])).toMatch(
      /node_prefix "" \{ policy = "read" \} missing/,
    );
    expect(explainAbsence('search', ['billing'])).toMatch(/may the token read it \(service "search"/);
  });
});

describe('closeNames', () => {
  it.each([
    ['inventroy', ['inventory']],
    ['INVENTORY', ['inventory', 'inventory2']],
    ['inventory-service', []],
    ['inventorys', ['inventory', 'inventory2']],
    ['db', ['db1']],
  ])('%s', (name, expected) => {
    expect(closeNames(name, ['inventory', 'inventory2', 'billing', 'db1', 'api'])).toEqual(expected);
  });
});
