import type { ConsulApi } from '../consul-api.js';
import type { ConformanceCase } from '../conformance-case.js';

type Change = (api: ConsulApi) => Promise<unknown>;

const register =
  (name: string, more: object = {}): Change =>
  (api) =>
    api.raw('PUT', '/v1/agent/service/register', { Name: name, ...more });
const deregister =
  (id: string): Change =>
  (api) =>
    api.raw('PUT', `/v1/agent/service/deregister/${id}`);
const beat =
  (verb: string, id: string): Change =>
  (api) =>
    api.raw('PUT', `/v1/agent/check/${verb}/${id}`);
const put =
  (key: string, value = 'v'): Change =>
  (api) =>
    api.raw('PUT', `/v1/kv/${key}`, value);
const WATCHED: Change[] = [
  register('web', { Check: { CheckID: 'web:ttl', TTL: '60s', Status: 'passing' } }),
  register('other', { Check: { CheckID: 'other:ttl', TTL: '60s', Status: 'passing' } }),
  put('d/x'),
  put('e/y'),
];
const WAIT_MS = 500;

/** Whether a change ends a blocked read before its `wait`. */
function wakes(what: string, path: string, change: Change, describe: string): ConformanceCase {
  return {
    area: 'blocking',
    name: `${what}: ${describe}`,
    observe: async (api) => {
      for (const prepare of WATCHED) await prepare(api);
      await pause(50);
      const index = await api.index(path);
      const separator = path.includes('?') ? '&' : '?';
      const begun = performance.now();
      const waiting = api.raw('GET', `${path}${separator}index=${index}&wait=${WAIT_MS}ms`);
      await pause(60);
      await change(api);
      const answer = await waiting;
      const after = Number(answer.headers.get('x-consul-index'));
      return { woken: performance.now() - begun < WAIT_MS, moved: after > index, status: answer.status };
    },
  };
}

const CHANGES: readonly [string, Change][] = [
  ['an unrelated service registers', register('unrelated')],
  ['it changes its port', register('web', { Port: 5, Check: { CheckID: 'web:ttl', TTL: '60s' } })],
  [
    'it registers the same again',
    register('web', { Check: { CheckID: 'web:ttl', TTL: '60s', Status: 'passing' } }),
  ],
  ['its check flips', beat('warn', 'web:ttl')],
  ['its check passes again', beat('pass', 'web:ttl')],
  ['the check of another flips', beat('warn', 'other:ttl')],
  ['it is deregistered', deregister('web')],
  ['another is deregistered', deregister('other')],
  ['a key is written', put('q')],
];
const READS: readonly string[] = [
  '/v1/health/service/web',
  '/v1/catalog/service/web',
  '/v1/catalog/services',
  '/v1/health/state/any',
  '/v1/health/checks/web',
  '/v1/catalog/nodes',
  '/v1/catalog/node/conformance',
  '/v1/health/node/conformance',
];
const KV_CHANGES: readonly [string, Change][] = [
  ['a key below is written', put('d/x', 'new')],
  ['a new key below', put('d/new')],
  ['the same value again', put('d/x')],
  ['a key elsewhere', put('e/y', 'new')],
  ['a key below is deleted', (api) => api.raw('DELETE', '/v1/kv/d/x')],
  ['a service registers', register('unrelated')],
];
const KV_READS: readonly string[] = [
  '/v1/kv/d/x',
  '/v1/kv/d/?recurse',
  '/v1/kv/d/?keys',
  '/v1/kv/none/?recurse',
];

export const blockingCases: readonly ConformanceCase[] = [
  ...READS.flatMap((path) => CHANGES.map(([describe, change]) => wakes(path, path, change, describe))),
  ...KV_READS.flatMap((path) => KV_CHANGES.map(([describe, change]) => wakes(path, path, change, describe))),
  wakes(
    '/v1/session/list',
    '/v1/session/list',
    (api) => api.raw('PUT', '/v1/session/create', '{}'),
    'a session is made',
  ),
  wakes('/v1/session/list', '/v1/session/list', put('q'), 'a key is written'),
  {
    area: 'blocking',
    name: 'the last instance is removed: an empty list, and the index advances; it returns: the read wakes',
    observe: async (api) => {
      await register('web')(api);
      const first = await api.index('/v1/health/service/web');
      const leaving = api.raw('GET', `/v1/health/service/web?index=${first}&wait=5s`);
      await deregister('web')(api);
      const gone = await leaving;
      const second = Number(gone.headers.get('x-consul-index'));
      const returning = api.raw('GET', `/v1/health/service/web?index=${second}&wait=5s`);
      await pause(50);
      await register('web')(api);
      return [gone.json, second > first, ((await returning).json as unknown[]).length];
    },
  },
  ...[
    ['another port', register('web', { Port: 9 }), 200],
    ['the same again', register('web'), 200],
    ['deregistered', deregister('web'), 404],
  ].map(([describe, change]): ConformanceCase => ({
    area: 'blocking',
    name: `hash of the own service: ${String(describe)}`,
    observe: async (api) => {
      await register('web')(api);
      const hash = (await api.raw('GET', '/v1/agent/service/web')).headers.get('x-consul-contenthash') ?? '';
      const begun = performance.now();
      const waiting = api.raw('GET', `/v1/agent/service/web?hash=${hash}&wait=${WAIT_MS}ms`);
      await pause(60);
      await (change as Change)(api);
      const answer = await waiting;
      return {
        woken: performance.now() - begun < WAIT_MS,
        status: answer.status,
        same: answer.headers.get('x-consul-contenthash') === hash,
      };
    },
  })),
  {
    area: 'blocking',
    name: 'a wait ends at its time, not before, with the same index',
    observe: async (api) => {
      await register('web')(api);
      const index = await api.index('/v1/health/service/web');
      const begun = performance.now();
      const answer = await api.raw('GET', `/v1/health/service/web?index=${index}&wait=300ms`);
      return [
        performance.now() - begun >= 295,
        answer.status,
        Number(answer.headers.get('x-consul-index')) === index,
      ];
    },
  },
  eventCase('an event of that name', 'deploy', '?name=deploy'),
  eventCase('an event of another name', 'other', '?name=deploy'),
  eventCase('any event', 'other', ''),
  {
    area: 'blocking',
    name: 'events, from an index that is not the last: at once',
    observe: async (api) => {
      await api.raw('PUT', '/v1/event/fire/deploy');
      const begun = performance.now();
      const answer = await api.raw('GET', `/v1/event/list?index=5&wait=${WAIT_MS}ms`);
      return [performance.now() - begun < WAIT_MS, answer.status];
    },
  },
  ...['/v1/health/service/web', '/v1/catalog/service/web', '/v1/catalog/services'].map(
    (path): ConformanceCase => ({
      area: 'cache',
      name: `${path}: a miss, a hit, and what is waited for is a miss`,
      observe: async (api) => {
        await register('web')(api);
        // A name that nothing has read before.
        const own = `${path}?cached&node-meta=run:${Date.now()}`;
        const seen: (string | null)[] = [];
        const look = async (more = ''): Promise<Headers> => {
          const { headers } = await api.raw('GET', own + more);
          seen.push(headers.get('x-cache'), headers.get('age') && 'an age');
          return headers;
        };
        await look();
        const index = (await look()).get('x-consul-index') ?? '';
        await look(`&index=${index}&wait=100ms`);
        await look('&passing');
        await look('&tag=none');
        return seen;
      },
    }),
  ),
];

function eventCase(describe: string, name: string, query: string): ConformanceCase {
  return {
    area: 'blocking',
    name: `events ${query}: ${describe} is fired`,
    observe: async (api) => {
      await api.raw('PUT', '/v1/event/fire/deploy', 'first');
      const path = `/v1/event/list${query}`;
      // As text: it has more digits than a number keeps.
      const lastIndex = async (): Promise<string> =>
        (await api.raw('GET', path)).headers.get('x-consul-index') ?? '';
      while ((await lastIndex()) === '1') await pause(20);
      const index = await lastIndex();
      const begun = performance.now();
      const separator = query ? '&' : '?';
      const waiting = api.raw('GET', `${path}${separator}index=${index}&wait=${WAIT_MS}ms`);
      await pause(60);
      await api.raw('PUT', `/v1/event/fire/${name}`, 'second');
      const answer = await waiting;
      const last = (answer.json as { Name: string; Payload: string }[]).at(-1);
      return [
        performance.now() - begun < WAIT_MS,
        answer.headers.get('x-consul-index') !== index,
        last?.Name,
        last?.Payload,
      ];
    },
  };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
