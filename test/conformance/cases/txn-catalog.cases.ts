import { requestCases, type ConformanceCase, type Request } from '../conformance-case.js';

const NODE = { Node: 'n1', Address: '1.1.1.1' };
const ID = 'aaaaaaaa-0000-4000-8000-000000000001';
const PREPARED: readonly Request[] = [
  ['PUT', '/v1/catalog/register', { ...NODE, Service: { ID: 's1', Service: 'web', Port: 80, Tags: ['a'] } }],
  [
    'PUT',
    '/v1/catalog/register',
    { ...NODE, Check: { Node: 'n1', CheckID: 'c1', Name: 'c', ServiceID: 's1', Status: 'passing' } },
  ],
  ['PUT', '/v1/kv/a', 'before'],
];
const node = (Verb: string, Node?: object): object => ({ Node: { Verb, Node } });
const service = (Verb: string, Service?: object, on = 'n1'): object => ({
  Service: { Verb, Node: on, Service },
});
const check = (Verb: string, Check?: object): object => ({ Check: { Verb, Check } });
const key = (Verb: string, Key: string): object => ({ KV: { Verb, Key, Value: 'eA==' } });
const verbs = ['set', 'cas', 'get', 'delete', 'delete-cas', 'fly', ''] as const;

const TRANSACTIONS: readonly (readonly object[])[] = [
  ...verbs.flatMap((verb) => [
    [node(verb, NODE)],
    [node(verb, { ...NODE, ModifyIndex: 1 })],
    [node(verb, { Node: 'n2', Address: '1.1.1.2' })],
    [node(verb, {})],
    [node(verb)],
    [service(verb, { ID: 's1', Service: 'web' })],
    [service(verb, { ID: 's1', Service: 'web', ModifyIndex: 1 })],
    [service(verb, { ID: 's2', Service: 'web', Port: 81 })],
    [service(verb, { Service: 'no-id' })],
    [service(verb, {})],
    [service(verb)],
    [service(verb, { Service: 'web' }, 'none')],
    [check(verb, { Node: 'n1', CheckID: 'c1' })],
    [check(verb, { Node: 'n1', CheckID: 'c1', ModifyIndex: 1 })],
    [check(verb, { Node: 'n1', CheckID: 'c2', Name: 'c', Status: 'warning', ServiceID: 's1' })],
    [check(verb, { Node: 'n1', CheckID: 'c3', ServiceID: 'none' })],
    [check(verb, { Node: 'none', CheckID: 'c1' })],
    [check(verb, { Node: 'n1' })],
    [check(verb)],
  ]),
  [node('set', { Node: 'n3', ID: 'short' })],
  [node('set', { Node: 'n3', Address: '1.1.1.3', ID, Meta: { a: 'b' }, TaggedAddresses: { lan: 'x' } })],
  [node('set', { ...NODE, Nonsense: 1 })],
  [{ Node: { Verb: 'set', Node: NODE, Nonsense: 1 } }],
  [{ Node: null }],
  [{ Node: 5 }],
  ...['KV', 'Node', 'Service', 'Check'].map((kind) => [{ [kind]: { Verb: 5 } }]),
  [check('set', { Node: 'n1', CheckID: 'c9', Definition: { HTTP: 'http://x', Interval: '10s' } })],
  [key('set', 'a'), service('set', { ID: 'x', Service: 'x' }, 'none')],
  [service('set', { ID: 'x', Service: 'x' }), key('check-not-exists', 'a')],
  [node('delete', NODE), key('check-not-exists', 'a')],
  [
    key('get', 'a'),
    node('get', NODE),
    service('get', { ID: 's1' }),
    check('get', { Node: 'n1', CheckID: 'c1' }),
  ],
  [key('get', 'a'), node('get', { Node: 'none' })],
  [
    key('set', 'a'),
    node('set', { Node: 'n4', Address: '1.1.1.4' }),
    service('set', { ID: 'x', Service: 'x' }, 'n4'),
    check('set', { Node: 'n4', CheckID: 'k', Name: 'k', Status: 'warning', ServiceID: 'x' }),
  ],
  [service('set', { Service: 'one' }), service('set', { Service: 'two' }), service('delete', { ID: 's1' })],
];

/** Transactions on nodes, services and checks: what they answer, and what is there afterwards. */
export const txnCatalogCases: readonly ConformanceCase[] = [
  ...requestCases(
    'txn on the catalog',
    PREPARED,
    TRANSACTIONS.map((operations) => ['PUT', '/v1/txn', operations] as const),
  ),
  ...TRANSACTIONS.filter((operations) => operations.length > 1).map((operations): ConformanceCase => ({
    area: 'txn on the catalog',
    name: `what is there after ${JSON.stringify(operations)}`,
    observe: async (api) => {
      for (const [method, path, body] of PREPARED) await api.raw(method, path, body);
      await api.raw('PUT', '/v1/txn', operations);
      return [
        await api.ask('GET', '/v1/kv/a?raw'),
        await api.ask('GET', '/v1/catalog/nodes'),
        await api.ask('GET', '/v1/catalog/node/n1'),
        await api.ask('GET', '/v1/catalog/services'),
        await api.ask('GET', '/v1/health/state/any'),
      ];
    },
  })),
  ...['set', 'delete'].map((verb): ConformanceCase => ({
    area: 'txn on the catalog',
    name: `a blocked read of a service returns when a transaction does ${verb}`,
    observe: async (api) => {
      for (const [method, path, body] of PREPARED) await api.raw(method, path, body);
      const index = await api.index('/v1/health/service/web');
      const blocked = api.ask('GET', `/v1/health/service/web?index=${index}&wait=10s`);
      await api.raw('PUT', '/v1/txn', [service(verb, { ID: 's1', Service: 'web', Port: 99 })]);
      return blocked;
    },
  })),
];
