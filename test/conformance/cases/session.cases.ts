import { requestCases, sequenceCase, type ConformanceCase, type Request } from '../conformance-case.js';

const ABSENT = '11111111-2222-3333-4444-555555555555';
const create = (body: unknown): Request => ['PUT', '/v1/session/create', body];
const query = (body: unknown): Request => ['POST', '/v1/query', body];
const WEB: Request = [
  'PUT',
  '/v1/agent/service/register',
  {
    ID: 'web1',
    Name: 'web',
    Port: 80,
    Tags: ['a'],
    Meta: { v: '1' },
    Check: { CheckID: 'ttl', TTL: '60s', Status: 'passing' },
  },
];

export const sessionCases: readonly ConformanceCase[] = [
  ...requestCases(
    'sessions',
    [WEB, ['PUT', '/v1/agent/service/register', { Name: 'bad', Check: { CheckID: 'critical', TTL: '60s' } }]],
    [
      ...[
        '',
        '{}',
        { TTL: '1s' },
        { TTL: '10s' },
        { TTL: '90000s' },
        { TTL: 'x' },
        { TTL: 10 },
        { TTL: '' },
        { TTL: '0s' },
        { LockDelay: '1s' },
        { LockDelay: 5 },
        { LockDelay: 'x' },
        { LockDelay: '61s' },
        { LockDelay: true },
        { Behavior: 'x' },
        { Behavior: 'delete' },
        { Foo: 1 },
        '[]',
        '{bad',
        { Name: 5 },
        { Checks: ['nope'] },
        { NodeChecks: ['nope'] },
        { ServiceChecks: [{ ID: 'ttl' }] },
        { ServiceChecks: [{ ID: 'nope' }] },
        { NodeChecks: ['critical'] },
        { NodeChecks: [] },
        { Node: 'nope' },
        { ID: 'abc' },
        { Checks: ['ttl'] },
      ].map(create),
      ['PUT', '/v1/session/create?dc=nope', '{}'],
      ['GET', '/v1/session/create'],
      ...['renew/nope', `renew/${ABSENT}`, 'renew/', 'destroy/nope', 'destroy/', `destroy/${ABSENT}`].map(
        (path): Request => ['PUT', `/v1/session/${path}`],
      ),
      ...['info/nope', 'info/', `info/${ABSENT}`, 'node/', 'node/nope', 'list'].map((path): Request => [
        'GET',
        `/v1/session/${path}`,
      ]),
    ],
  ),
  ...[
    { Name: 's', TTL: '10s' },
    { LockDelay: '1s', Behavior: 'delete' },
    { LockDelay: 5 },
    { LockDelay: true },
    { TTL: '0s', NodeChecks: [] },
    { ServiceChecks: [{ ID: 'ttl' }] },
    {},
  ].map((body): ConformanceCase => ({
    area: 'sessions',
    name: `shows one of ${JSON.stringify(body)} in every list`,
    observe: async (api) => {
      await api.raw(...WEB);
      const id = ((await api.raw('PUT', '/v1/session/create', body)).json as { ID: string }).ID;
      return [
        await api.ask('GET', `/v1/session/info/${id}`),
        await api.ask('GET', '/v1/session/list'),
        await api.ask('GET', '/v1/session/node/conformance'),
        await api.ask('PUT', `/v1/session/renew/${id}`),
        await api.ask('PUT', `/v1/session/destroy/${id}`),
        await api.ask('GET', `/v1/session/info/${id}`),
      ];
    },
  })),
  ...requestCases(
    'events',
    [WEB],
    [
      ['PUT', '/v1/event/fire/'],
      ['PUT', '/v1/event/fire/deploy', 'payload'],
      ['PUT', '/v1/event/fire/deploy'],
      ['GET', '/v1/event/fire/x'],
      ['PUT', '/v1/event/fire/x?service=web&tag=a&node=n'],
      ['PUT', '/v1/event/fire/x?tag=a'],
      ['PUT', '/v1/event/fire/x?service=('],
      ['PUT', '/v1/event/fire/x?dc=nope'],
      ['GET', '/v1/event/list?name=never'],
      ['PUT', '/v1/event/list'],
    ],
  ),
  {
    area: 'events',
    name: 'lists the events that were fired',
    observe: async (api) => {
      const name = `e${Math.random().toString(36).slice(2)}`;
      await api.raw('PUT', `/v1/event/fire/${name}`, 'p');
      await api.raw('PUT', `/v1/event/fire/${name}?service=absent`, 'not for us');
      await new Promise((resolve) => setTimeout(resolve, 200));
      const { body } = await api.ask('GET', `/v1/event/list?name=${name}`);
      return (body as { Name: string; Payload: string }[]).map(({ Name, Payload }) => [
        Name === name,
        Payload,
      ]);
    },
  },
  ...requestCases(
    'prepared queries',
    [WEB, query({ Name: 'q1', Service: { Service: 'web' } })],
    [
      ...[
        '',
        '{}',
        { Name: 'q' },
        { Service: { Service: 'web' } },
        { Name: 'q1', Service: { Service: 'web' } },
        { Name: 'q2', Service: { Service: 'web' } },
        { Foo: 1 },
        '[]',
        { Name: 'bad', Service: { Service: 'web', Failover: { NearestN: -1 } } },
        { Name: 'q4', Service: { Service: 'web' }, Session: 'nope' },
        { Name: 'q3', Service: { Service: 'web' }, Template: { Type: 'x' } },
        { Name: 5 },
      ].map(query),
      ['GET', '/v1/query'],
      ['GET', '/v1/query/nope'],
      ['GET', '/v1/query/q1/execute'],
      ['GET', '/v1/query/q1/execute?limit=1'],
      ['GET', '/v1/query/q1/execute?limit=x'],
      ['GET', '/v1/query/nope/execute'],
      ['GET', '/v1/query/q1/explain'],
      ['PUT', '/v1/query', '{}'],
      ['DELETE', '/v1/query/nope'],
    ],
  ),
  ...[
    {},
    { OnlyPassing: true },
    { Tags: ['a'] },
    { Tags: ['b'] },
    { Tags: ['!a'] },
    { ServiceMeta: { v: '1' } },
    { ServiceMeta: { v: '2' } },
    { IgnoreCheckIDs: ['ttl'] },
    { Near: '_agent' },
  ].flatMap((more) =>
    ['pass', 'warn', 'fail'].map((verb) =>
      sequenceCase('prepared queries', `${JSON.stringify(more)} while its check is set to ${verb}`, [
        WEB,
        ['PUT', `/v1/agent/check/${verb}/ttl`],
        query({ Name: 'q', Service: { Service: 'web', ...more } }),
        ['GET', '/v1/query/q/execute'],
      ]),
    ),
  ),
];
