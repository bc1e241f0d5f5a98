import { closeNames } from '@rookery/discovery/adapter';
import { describe, expect, it } from '@jest/globals';
import type { ConsulClient } from '../client/consul-client.js';
import { diagnoseService, explainAbsence } from './diagnose-service.js';

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

describe('why no instance of a service can be used', () => {
  const { signal } = new AbortController();
  let entries: unknown[];
  let allowed: boolean[] | Error;
  let asked: unknown[];
  const client = {
    health: {
      service: async (service: string, { datacenter }: { datacenter?: string }) => {
        asked.push([service, datacenter]);
        return { body: entries };
      },
    },
    acl: {
      allows: async () => {
        if (allowed instanceof Error) throw allowed;
        return allowed;
      },
    },
    catalog: { services: async () => ({ body: { consul: [] } }) },
  } as unknown as ConsulClient;
  const why = async (query: object = {}): Promise<string | undefined> => {
    asked = [];
    return diagnoseService(client, 'search', query, signal, async (datacenter) => {
      asked.push(['names', datacenter]);
      return ['consul', 'searchs'];
    });
  };
  const entry = (id: string, ...checks: object[]): unknown => ({ Service: { ID: id }, Checks: checks });
  const critical = (Output: string, more: object = {}): object => ({
    ...{ CheckID: `check-${Output.length}`, Name: 'HTTP', Status: 'critical', Output, Notes: '', ...more },
  });

  it('is the first check of each instance that fails, in one line', async () => {
    entries = [
      entry(
        'a',
        { CheckID: 'x', Name: 'TCP', Status: 'passing', Output: '' },
        critical(' 404\n  Not\tFound '),
        critical('b'),
      ),
      entry('b', critical('')),
    ];
    expect(await why({ datacenter: 'dc2' })).toBe(
      'Checks fail: a, HTTP: 404 Not Found; b, HTTP: no output yet',
    );
    expect(asked).toEqual([['search', 'dc2']]);
    entries = [entry('a', critical('x'.repeat(2_000)))];
    const long = await why();
    expect(long).toMatch(/x…$/);
    expect(long).toHaveLength('Checks fail: a, HTTP: '.length + 201);
    entries = Array.from({ length: 50 }, (_, n) => entry(`i${n}`, critical('no')));
    const many = (await why())?.split('; ') ?? [];
    expect(many).toHaveLength(2);
    expect(many[0]).toBe('Checks fail: i0, HTTP: no');
  });

  it('is maintenance where no other check fails', async () => {
    const maintenance = (Notes: string, CheckID = '_node_maintenance'): object =>
      critical('', { CheckID, Notes });
    entries = [
      entry('a', maintenance('update')),
      entry('b', maintenance('update', '_service_maintenance:b')),
      entry('c', maintenance('disk')),
      entry('d', maintenance('')),
    ];
    expect(await why()).toBe('In maintenance: update; disk');
    entries.push(entry('e', critical('no')));
    expect(await why()).toBe('Checks fail: e, HTTP: no');
  });

  it('is the filter of the query, where all are healthy', async () => {
    entries = [{ Service: { ID: 'a' } }, entry('b')];
    expect(await why({ filter: 'Port == 1' })).toBe('Consul has 2, but none that matches the filter');
    expect(await why()).toBeUndefined();
  });

  it('is the token that may not read it, or that there is none', async () => {
    entries = [];
    allowed = [false, true];
    expect(await why()).toContain('the token may not read the instances of "search"');
    allowed = [true, true];
    expect(await why({ datacenter: 'dc2' })).toBe(
      'The registry lists none: is it running and registered? Did you mean "searchs"?',
    );
    expect(asked).toEqual([
      ['search', 'dc2'],
      ['names', 'dc2'],
    ]);
    allowed = new Error('away');
    expect(await why()).toMatch(/Did you mean "searchs"/);
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
