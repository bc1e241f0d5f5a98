import { requestCases, sequenceCase, type ConformanceCase, type Request } from '../conformance-case.js';

const WEB: Request = [
  'PUT',
  '/v1/agent/service/register',
  { ID: 'web1', Name: 'web', Tags: ['a'], Checks: [{ CheckID: 'ttl', Name: 'beat', TTL: '30s' }] },
];
const CHECKS: Request = ['GET', '/v1/agent/checks'];
const update = (body: unknown): Request => ['PUT', '/v1/agent/check/update/ttl', body];
const register = (body: unknown): Request => ['PUT', '/v1/agent/check/register', body];
const HEALTH: readonly Request[] = [
  ['GET', '/v1/agent/health/service/id/web1'],
  ['GET', '/v1/agent/health/service/id/web1?format=text'],
  ['GET', '/v1/agent/health/service/name/web'],
  ['GET', '/v1/agent/health/service/name/web?format=text'],
  ['GET', '/v1/health/service/web'],
  ['GET', '/v1/health/service/web?passing'],
];

export const checkCases: readonly ConformanceCase[] = [
  ...requestCases(
    'checks',
    [WEB],
    [
      ...[
        '',
        '{}',
        { Name: 'c' },
        { Name: 'c', TTL: '10s' },
        { Name: 'c', ID: 'cid', TTL: '10s', ServiceID: 'nope' },
        { Name: 'c', TTL: '0s' },
        { Name: 'c', TTL: '10s', Status: 'x' },
        { Name: 'c', Foo: 1 },
        { Name: 'c', CheckID: 'q', TTL: '10s' },
        { Name: 5 },
        '[]',
        { Name: 'c', ServiceID: 'web1', TTL: '10s', ID: 'onweb' },
        { Name: 'c', TTL: 'q' },
        { Name: 'c', Args: ['x'], Interval: '1s' },
      ].map(register),
      ['PUT', '/v1/agent/check/pass/ttl'],
      ['PUT', '/v1/agent/check/pass/ttl?note=n'],
      ['PUT', '/v1/agent/check/warn/ttl'],
      ['PUT', '/v1/agent/check/fail/ttl'],
      ['PUT', '/v1/agent/check/pass/nope'],
      ['PUT', '/v1/agent/check/pass/'],
      ['PUT', '/v1/agent/check/pass/serfHealth'],
      ['GET', '/v1/agent/check/pass/ttl'],
      ['POST', '/v1/agent/check/pass/ttl'],
      ['PUT', '/v1/agent/check/deregister/ttl'],
      ['PUT', '/v1/agent/check/deregister/nope'],
      ['PUT', '/v1/agent/check/deregister/'],
      ...[
        '',
        '{}',
        { Status: 'passing' },
        { Status: 'PASSING' },
        { Status: 'passing', Output: 'o' },
        { Status: 'warning', Output: 'x'.repeat(5_000) },
        { Status: 'x' },
        { Foo: 1 },
        '[]',
        { Status: 1 },
      ].map(update),
      ['PUT', '/v1/agent/check/update/nope', { Status: 'passing' }],
      ['GET', '/v1/agent/health/service/id/nope'],
      ['GET', '/v1/agent/health/service/id/nope?format=text'],
      ['GET', '/v1/agent/health/service/name/nope'],
      ['GET', '/v1/agent/health/service/id/'],
      ['GET', '/v1/agent/health/service/name/'],
    ],
  ),
  ...(['pass', 'warn', 'fail'] as const).map((verb) =>
    sequenceCase('checks', `${verb} is seen by the agent and by the catalog`, [
      WEB,
      ['PUT', `/v1/agent/check/${verb}/ttl?note=because`],
      CHECKS,
      ...HEALTH,
    ]),
  ),
  sequenceCase('checks', 'an output that is too long is truncated, with a note', [
    WEB,
    update({ Status: 'passing', Output: 'x'.repeat(5_000) }),
    CHECKS,
  ]),
  sequenceCase('checks', 'a lower limit of the output is kept', [
    [
      'PUT',
      '/v1/agent/service/register',
      { Name: 'x', Check: { CheckID: 'ttl', TTL: '30s', OutputMaxSize: 5 } },
    ],
    update({ Status: 'passing', Output: '0123456789' }),
    CHECKS,
  ]),
  sequenceCase('checks', 'the catalog receives an output only together with its status', [
    WEB,
    ['PUT', '/v1/agent/check/pass/ttl?note=one'],
    ['PUT', '/v1/agent/check/pass/ttl?note=two'],
    CHECKS,
    ['GET', '/v1/health/checks/web'],
  ]),
  sequenceCase('checks', 'a check of the node applies to every service on it', [
    WEB,
    ['PUT', '/v1/agent/check/pass/ttl'],
    register({ Name: 'disk', TTL: '30s', Status: 'warning' }),
    ['GET', '/v1/health/service/web'],
    ['GET', '/v1/agent/health/service/id/web1?format=text'],
    ['GET', '/v1/health/state/warning'],
  ]),
  sequenceCase('checks', 'an alias of an absent service is critical', [
    ['PUT', '/v1/agent/service/register', { Name: 'x', Check: { CheckID: 'a', AliasService: 'absent' } }],
    CHECKS,
  ]),
  {
    area: 'checks',
    name: 'an alias follows its service',
    observe: async (api) => {
      const seen: unknown[] = [];
      const alias = async (): Promise<void> => {
        await settle();
        const checks = (await api.raw('GET', '/v1/agent/checks')).json as Record<
          string,
          { Status: string; Output: string }
        >;
        seen.push([checks.alias?.Status, checks.alias?.Output]);
      };
      await api.raw(...WEB);
      await api.raw('PUT', '/v1/agent/service/register', {
        Name: 'x',
        Check: { CheckID: 'alias', AliasService: 'web1' },
      });
      for (const verb of ['pass', 'warn', 'fail', 'pass']) {
        await api.raw('PUT', `/v1/agent/check/${verb}/ttl?note=n`);
        await alias();
      }
      return seen;
    },
  },
  {
    area: 'checks',
    name: 'a TTL that is not renewed is critical, with the last report; a new report ends that',
    observe: async (api) => {
      await api.raw('PUT', '/v1/agent/service/register', {
        Name: 'x',
        Check: { CheckID: 'ttl', TTL: '300ms' },
      });
      await api.raw('PUT', '/v1/agent/check/pass/ttl?note=last');
      await new Promise((resolve) => setTimeout(resolve, 700));
      const expired = await api.ask('GET', '/v1/agent/checks');
      await api.raw('PUT', '/v1/agent/check/pass/ttl');
      return [expired, await api.ask('GET', '/v1/health/checks/x')];
    },
  },
];

/** A real agent updates an alias check asynchronously, a moment later. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 150));
}
