import { requestCases, sequenceCase, type ConformanceCase, type Request } from '../conformance-case.js';
import type { ConsulApi } from '../consul-api.js';

const KV: readonly Request[] = [
  ['PUT', '/v1/kv/a', 'v'],
  ['PUT', '/v1/kv/d/x', '1'],
  ['PUT', '/v1/kv/d/y/z', '2'],
  ['PUT', '/v1/kv/d2', '3'],
];
const set = (key: string, value = 'dg=='): object => ({ KV: { Verb: 'set', Key: key, Value: value } });
const txn = (body: unknown): Request => ['PUT', '/v1/txn', body];
const one = (operation: object): Request => txn([{ KV: operation }]);

async function session(api: ConsulApi, body: object = { LockDelay: '0s' }): Promise<string> {
  return ((await api.raw('PUT', '/v1/session/create', body)).json as { ID: string }).ID;
}

export const kvCases: readonly ConformanceCase[] = [
  ...requestCases('kv', KV, [
    ...[
      'a',
      'none',
      'a?raw',
      'none?raw',
      '?recurse',
      'd?recurse',
      'd/?recurse',
      'none?recurse',
      '?keys',
      'd?keys',
      'd/?keys',
      'd/?keys&separator=/',
      '?keys&separator=/',
      'none?keys',
      '',
      'a?keys&separator=x',
      'a?recurse&raw',
      'a?dc=nope',
      'a?stale',
      'a?consistent',
      'a?ns=x',
      'a?index=q',
      'a?wait=q',
    ].map((path): Request => ['GET', `/v1/kv/${path}`]),
    ...[
      'a',
      'a?flags=x',
      'a?flags=-1',
      'a?flags=18446744073709551616',
      'a?flags=42',
      'a?cas=x',
      'a?cas=0',
      'new?cas=0',
      'a?cas=99999',
      'a?acquire=nope',
      'a?acquire=',
      'a?acquire=x&cas=1',
      'a?acquire=x&release=y',
      'a?release=nope',
      '',
      'a//b',
      'x%2F%2Fy',
      'd/../e',
      './a',
      'a%01b',
      'q?dc=nope',
      'ü%20ä',
      'e'.repeat(3_000),
    ].map((path): Request => ['PUT', `/v1/kv/${path}`, 'v']),
    ...[
      'a',
      'none',
      'a?cas=0',
      'a?cas=x',
      'a?cas=1',
      'none?cas=1',
      'a?recurse&cas=1',
      'd?recurse',
      'none?recurse',
      '',
    ].map((path): Request => ['DELETE', `/v1/kv/${path}`]),
    ['POST', '/v1/kv/a', 'v'],
    ['OPTIONS', '/v1/kv/a'],
    ['GET', '/v1/kv'],
    ['PUT', '/v1/kv/big', 'x'.repeat(524_288)],
    ['PUT', '/v1/kv/big', 'x'.repeat(524_289)],
  ]),
  sequenceCase('kv', 'keeps flags of 64 bits, bytes, and the empty value', [
    ['PUT', '/v1/kv/f?flags=9007199254740992', 'v'],
    ['GET', '/v1/kv/f'],
    ['PUT', '/v1/kv/empty', ''],
    ['GET', '/v1/kv/empty'],
    ['GET', '/v1/kv/empty?raw'],
    ['PUT', '/v1/kv/s/', 'folder'],
    ['GET', '/v1/kv/s/'],
    ['GET', '/v1/kv/s?keys'],
  ]),
  {
    area: 'kv',
    name: 'does not move the index for the same value, and does for another, and for flags',
    observe: async (api) => {
      const moved: boolean[] = [];
      await api.raw('PUT', '/v1/kv/i', '1');
      for (const path of ['/v1/kv/i', '/v1/kv/i?flags=1', '/v1/kv/i?flags=1']) {
        const before = await api.index('/v1/kv/i');
        await api.raw('PUT', path, '1');
        moved.push((await api.index('/v1/kv/i')) > before);
      }
      return moved;
    },
  },
  {
    area: 'kv',
    name: 'the index of a prefix moves with a delete below it, and of another prefix does not',
    observe: async (api) => {
      for (const [m, p, b] of KV) await api.raw(m, p, b);
      const [d, other] = [await api.index('/v1/kv/d/?recurse'), await api.index('/v1/kv/a')];
      await api.raw('DELETE', '/v1/kv/d/x');
      return [(await api.index('/v1/kv/d/?recurse')) > d, (await api.index('/v1/kv/a')) === other];
    },
  },
  {
    area: 'kv',
    name: 'cas writes with the index that it was read with',
    observe: async (api) => {
      await api.raw('PUT', '/v1/kv/c', '1');
      const index =
        ((await api.raw('GET', '/v1/kv/c')).json as { ModifyIndex: number }[])[0]?.ModifyIndex ?? 0;
      return [
        await api.ask('PUT', `/v1/kv/c?cas=${index}`, '2'),
        await api.ask('PUT', `/v1/kv/c?cas=${index}`, '3'),
        await api.ask('DELETE', `/v1/kv/c?cas=${index}`),
        await api.ask('GET', '/v1/kv/c?raw'),
      ];
    },
  },
  ...requestCases(
    'txn',
    [['PUT', '/v1/kv/t', 'v']],
    [
      ...[
        '',
        '{}',
        '[]',
        '[{}]',
        '[{"KV":{}}]',
        '[{"Foo":1}]',
        '{"KV":1}',
        '[{"KV":1}]',
        '[{"KV":{"Verb":"set","Key":"t","Value":5}}]',
        '[{"KV":{"Verb":"set","Key":"t","Value":"!!"}}]',
      ].map(txn),
      ...[
        { Verb: 'foo', Key: 'a' },
        { Verb: 'set', Key: 'n', Value: 'dg==' },
        { Verb: 'set', Key: 'n', Flags: 3 },
        { Verb: 'get', Key: 't' },
        { Verb: 'get', Key: 'nope' },
        { Verb: 'set', Key: '' },
        { Verb: 'cas', Key: 't', Index: 1, Value: 'dg==' },
        { Verb: 'cas', Key: 'n', Index: 0, Value: 'dg==' },
        { Verb: 'check-session', Key: 't', Session: 'x' },
        { Verb: 'check-session', Key: 'n', Session: 'x' },
        { Verb: 'check-not-exists', Key: 't' },
        { Verb: 'check-not-exists', Key: 'n' },
        { Verb: 'check-index', Key: 'n', Index: 1 },
        { Verb: 'get-tree', Key: 't' },
        { Verb: 'get-tree', Key: 'n' },
        { Verb: 'delete', Key: 't' },
        { Verb: 'delete', Key: 'n' },
        { Verb: 'delete-cas', Key: 't', Index: 1 },
        { Verb: 'delete-cas', Key: 'n', Index: 1 },
        { Verb: 'delete-tree', Key: 't' },
        { Verb: 'lock', Key: 't', Session: 'x' },
        { Verb: 'lock', Key: 't' },
        { Verb: 'unlock', Key: 't', Session: 'x' },
      ].map(one),
      txn([set('1'), { KV: { Verb: 'cas', Key: 't', Index: 1 } }]),
      txn(Array.from({ length: 64 }, (_, n) => set(`k${n}`))),
      txn(Array.from({ length: 65 }, (_, n) => set(`k${n}`))),
      ['POST', '/v1/txn', '[]'],
      ['GET', '/v1/txn'],
      ['PUT', '/v1/txn?wait=q', [{}]],
      ['PUT', '/v1/txn', [{ Check: 0 }]],
      ['PUT', '/v1/txn', [{ Node: 'x' }]],
      ['PUT', '/v1/txn', [{ Service: [1] }]],
      ['PUT', '/v1/txn?index=q', [{ KV: { Verb: 'get', Key: 'a' } }]],
      ['PUT', '/v1/txn?wait=q', [{ KV: { Verb: 'set', Key: 'a', Value: 'dg==' } }]],
    ],
  ),
  sequenceCase('txn', 'leaves no trace of a failed transaction', [
    txn([set('gone'), { KV: { Verb: 'get', Key: 'nope' } }]),
    ['GET', '/v1/kv/gone'],
    ['GET', '/v1/kv/?keys'],
  ]),
  {
    area: 'locks',
    name: 'one session at a time holds a lock; release and destroy give it back',
    observe: async (api) => {
      const [a, b] = [await session(api), await session(api)];
      const steps: Request[] = [
        ['PUT', `/v1/kv/lock?acquire=${a}`, '1'],
        ['PUT', `/v1/kv/lock?acquire=${b}`, '2'],
        ['PUT', `/v1/kv/lock?acquire=${a}`, '3'],
        ['GET', '/v1/kv/lock'],
        ['PUT', `/v1/kv/lock?release=${b}`, ''],
        ['PUT', `/v1/kv/lock?release=${a}`, '4'],
        ['GET', '/v1/kv/lock'],
        ['PUT', `/v1/kv/lock?acquire=${b}`, '5'],
        ['GET', '/v1/kv/lock'],
        ['PUT', '/v1/kv/lock', 'plain'],
        ['GET', '/v1/kv/lock'],
        ['PUT', `/v1/session/destroy/${b}`],
        ['GET', '/v1/kv/lock'],
        ['PUT', `/v1/kv/lock?acquire=${a}`, '6'],
      ];
      const answers = [];
      for (const [m, p, body] of steps) answers.push(await api.ask(m, p, body));
      return answers;
    },
  },
  {
    area: 'locks',
    name: 'a session with behaviour delete deletes its keys, and a lost one starts the lock delay',
    observe: async (api) => {
      const [gone, closing, next] = [
        await session(api, { Behavior: 'delete', LockDelay: '0s' }),
        await session(api, { LockDelay: '5s' }),
        await session(api),
      ];
      await api.raw('PUT', `/v1/kv/gone?acquire=${gone}`, '1');
      await api.raw('PUT', `/v1/kv/closed?acquire=${closing}`, '1');
      await api.raw('PUT', `/v1/session/destroy/${gone}`);
      await api.raw('PUT', `/v1/session/destroy/${closing}`);
      return [
        await api.ask('GET', '/v1/kv/gone'),
        await api.ask('GET', '/v1/kv/closed'),
        await api.ask('PUT', `/v1/kv/closed?acquire=${next}`, '2'),
        await api.ask('PUT', '/v1/txn', [{ KV: { Verb: 'lock', Key: 'closed', Session: next } }]),
        await api.ask('PUT', '/v1/txn', [
          { KV: { Verb: 'lock', Key: 'closed', Session: closing } },
          { KV: { Verb: 'get', Key: 'missing' } },
        ]),
        await api.ask('PUT', '/v1/kv/closed', 'plain'),
      ];
    },
  },
  {
    area: 'locks',
    name: 'a transaction locks, checks and unlocks',
    observe: async (api) => {
      const id = await session(api);
      const answers = [];
      for (const operation of [
        { Verb: 'lock', Key: 'l', Session: id, Value: 'dg==' },
        { Verb: 'check-session', Key: 'l', Session: id },
        { Verb: 'unlock', Key: 'l', Session: id, Value: 'dg==' },
        { Verb: 'check-session', Key: 'l', Session: id },
      ]) {
        answers.push(await api.ask('PUT', '/v1/txn', [{ KV: operation }]));
      }
      return answers;
    },
  },
  {
    area: 'locks',
    name: 'a session depends on its checks',
    observe: async (api) => {
      await api.raw('PUT', '/v1/agent/service/register', {
        Name: 'x',
        Check: { CheckID: 'c', TTL: '30s', Status: 'passing' },
      });
      const id = await session(api, { LockDelay: '0s', NodeChecks: [], ServiceChecks: [{ ID: 'c' }] });
      await api.raw('PUT', `/v1/kv/held?acquire=${id}`, '1');
      await api.raw('PUT', '/v1/agent/check/warn/c');
      const warned = await api.ask('GET', '/v1/kv/held');
      await api.raw('PUT', '/v1/agent/check/fail/c');
      return [warned, await api.ask('GET', '/v1/kv/held'), await api.ask('PUT', `/v1/session/renew/${id}`)];
    },
  },
];
