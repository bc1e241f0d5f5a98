import { describe, expect, it } from '@jest/globals';
import { validateOptions } from '../../configuration/validate-options.js';
import { serviceOptionsSchema } from './service-options.js';

const issues = (options: unknown): string[] =>
  validateOptions(serviceOptionsSchema, options).map(({ field, hint }) => `${field}: ${hint}`);
const of = (changes: Record<string, unknown>): string[] => issues({ name: 'inventory', ...changes });
const metaOf = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`key-${n}`, n]));
const ttl = { type: 'ttl' };

describe('the options of a service', () => {
  it.each([
    {},
    { id: 'inventory-1', port: 1, address: '10.0.0.7', transport: 'tcp' },
    { port: 65_535, address: 'fd00::7', transport: 'grpc' },
    { address: 'books.example', preferredNetworks: ['10.0.0.0/8', 'fd00::/8'] },
    { taggedAddresses: { wan: { address: '203.0.113.7', port: 443 }, lan: { address: '10.0.0.7' } } },
    { tags: ['v1'], enableTagOverride: true, zone: 'eu-1a', secure: false },
    { weights: { passing: 1 } },
    { weights: { passing: 65_535, warning: 0 } },
    { register: 'manual', registrationDelay: 0 },
    { registrationDelay: '2s', register: 'automatic' },
    { meta: { version: '1.2.0', build: 7, canary: true, 'a_b-C9': '' } },
    { meta: metaOf(60) },
    { meta: { ['k'.repeat(128)]: 'v'.repeat(512) } },
    {
      check: [
        { ...ttl, id: 'one' },
        { ...ttl, id: 'two' },
      ],
    },
    { check: [ttl, ttl] },
    { check: [{ ...ttl, id: 'ttl-2x' }, ttl] },
  ])('%j', (changes) => {
    expect(of(changes)).toEqual([]);
  });

  it.each([
    [{ name: '' }, /^name: must be the service's name/],
    [{ name: 'a/../b' }, /^name: .*segment/],
    [{ id: '' }, /^id: must not be empty/],
    [{ id: 'maintenance/x' }, /^id: must not be a reserved word/],
    [{ transport: 'amqp' }, /^transport: must be 'http', 'tcp' or 'grpc'/],
    [{ port: 0 }, /^port: .*1 to 65535/],
    [{ port: 65_536 }, /^port: .*1 to 65535/],
    [{ address: '0.0.0.0' }, /^address: is not an address that others can reach/],
    [{ address: '::' }, /^address: is not an address that others can reach/],
    [{ address: '0::0' }, /^address: is not an address that others can reach/],
    [{ address: '::ffff:0.0.0.0' }, /^address: is not an address that others can reach/],
    [{ address: 'http://books' }, /^address: must be a host name or an IP address, without/],
    [{ address: 'books:80' }, /^address: must be a host name or an IP address, without/],
    [{ address: '' }, /^address: must be a host name/],
    [{ preferredNetworks: ['10.0.0.0'] }, /^preferredNetworks.0: must be a network/],
    [{ taggedAddresses: { wan: { address: '::' } } }, /^taggedAddresses.wan.address: is not an address/],
    [{ taggedAddresses: { wan: { address: '10.0.0.7', port: 0 } } }, /^taggedAddresses.wan.port/],
    [{ tags: 'v1' }, /^tags: must be an array of strings/],
    [{ meta: metaOf(61) }, /^meta: must have at most 60 entries/],
    [{ meta: { ['k'.repeat(129)]: '' } }, /a key must be at most 128 characters long/],
    [{ meta: { long: 'v'.repeat(513) } }, /^meta.long: must be at most 512 bytes long/],
    [{ meta: { long: 'é'.repeat(257) } }, /^meta.long: must be at most 512 bytes long/],
    [{ meta: { '': 'x' } }, /a key must not be empty/],
    [{ meta: { 'a.b': 'x' } }, /a key may contain letters, digits, - and _ only/],
    [{ meta: { secure: 'true' } }, /is reserved by Rookery; set service.secure/],
    [{ meta: { 'consul-x': 'y' } }, /begin with "consul-" are reserved/],
    [{ zone: '' }, /^zone: must be a zone/],
    [{ weights: { passing: 0 } }, /^weights.passing/],
    [{ weights: { passing: 1, warning: 65_536 } }, /^weights.warning/],
    [{ check: [] }, /^check: must have at least one check/],
    [
      {
        check: [
          { ...ttl, id: 'one' },
          { ...ttl, id: 'one' },
        ],
      },
      /^check: has two checks with the same id/,
    ],
    [{ check: [{ ...ttl, id: 'ttl-2' }, ttl] }, /^check: has two checks with the same id/],
    [{ register: 'later' }, /^register: must be 'automatic' or 'manual'/],
    [{ registrationDelay: -1 }, /^registrationDelay: must be a duration/],
  ])('not %j', (changes, message) => {
    expect(of(changes)).toEqual([expect.stringMatching(message)]);
  });

  it('are one service or several, each of which has an id, a port or a transport of its own', () => {
    const same = /has two services with the same id/;
    expect(issues([{ name: 'a' }, { name: 'b' }])).toEqual([]);
    expect(issues([{ name: 'a' }, { name: 'a', port: 2 }])).toEqual([]);
    expect(issues([{ name: 'a' }, { name: 'a', transport: 'tcp' }])).toEqual([]);
    expect(issues([{ name: 'a' }, { name: 'a', id: 'other' }])).toEqual([]);
    for (const twice of [
      [{ name: 'a' }, { name: 'a' }],
      [{ name: 'a' }, { name: 'a', transport: 'http' }],
      [
        { name: 'a', id: 'x' },
        { name: 'b', id: 'x' },
      ],
    ])
      expect(issues(twice)).toEqual([expect.stringMatching(same)]);
    expect(issues([])).toEqual([expect.stringMatching(/at least one service/)]);
    expect(issues('inventory')).toEqual([expect.stringMatching(/must be an object such as/)]);
  });
});
