import type { Request } from './conformance-case.js';

export const PATHS: readonly (readonly [method: string, path: string])[] = [
  ['PUT', '/v1/agent/service/register'],
  ['PUT', '/v1/agent/service/deregister/ID'],
  ['PUT', '/v1/agent/service/maintenance/ID'],
  ['PUT', '/v1/agent/check/register'],
  ['PUT', '/v1/agent/check/deregister/ID'],
  ['PUT', '/v1/agent/check/pass/ID'],
  ['PUT', '/v1/agent/check/update/ID'],
  ['GET', '/v1/agent/services'],
  ['GET', '/v1/agent/checks'],
  ['GET', '/v1/agent/service/ID'],
  ['GET', '/v1/agent/health/service/id/ID'],
  ['GET', '/v1/health/service/ID'],
  ['GET', '/v1/health/node/ID'],
  ['GET', '/v1/health/state/ID'],
  ['GET', '/v1/catalog/service/ID'],
  ['GET', '/v1/catalog/services'],
  ['PUT', '/v1/catalog/register'],
  ['PUT', '/v1/catalog/deregister'],
  ['GET', '/v1/kv/ID'],
  ['PUT', '/v1/kv/ID'],
  ['DELETE', '/v1/kv/ID'],
  ['PUT', '/v1/txn'],
  ['PUT', '/v1/session/create'],
  ['PUT', '/v1/session/renew/ID'],
  ['PUT', '/v1/session/destroy/ID'],
  ['GET', '/v1/session/info/ID'],
  ['PUT', '/v1/event/fire/ID'],
  ['POST', '/v1/query'],
  ['GET', '/v1/query/ID/execute'],
];
const IDS = [
  'a',
  'b',
  'x/y',
  'ü',
  '',
  '%20',
  'a%2Fb',
  '..',
  'serfHealth',
  '11111111-2222-3333-4444-555555555555',
  'any',
  '%00',
  'a//b',
];
export const QUERIES = [
  '',
  '?passing',
  '?recurse',
  '?keys',
  '?raw',
  '?stale',
  '?cas=0',
  '?cas=x',
  '?flags=1',
  '?acquire=a',
  '?release=',
  '?enable=true',
  '?enable=q',
  '?filter=bad',
  '?filter=ID%20is%20empty',
  '?tag=a',
  '?index=0',
  '?index=x',
  '?wait=q',
  '?dc=nope',
  '?ns=q',
  '?near=_agent',
  '?note=n',
  '?replace-existing-checks=true',
  '?consistent&stale',
  '?separator=/',
  '?limit=q',
  '?max_stale=q',
  '?cached&consistent',
  '?index=5&wait=q',
  '?passing=q',
];
const KEYS = [
  'Name',
  'ID',
  'Node',
  'Address',
  'Port',
  'Tags',
  'Meta',
  'Check',
  'Checks',
  'TTL',
  'HTTP',
  'TCP',
  'Interval',
  'Status',
  'Output',
  'Service',
  'ServiceID',
  'KV',
  'Verb',
  'Key',
  'Value',
  'Session',
  'LockDelay',
  'Behavior',
  'Weights',
  'Passing',
  'Nonsense',
  'EnableTagOverride',
  'CheckID',
  'NodeChecks',
];
const VALUES: readonly unknown[] = [
  '',
  'a',
  'b',
  'passing',
  '10s',
  '1d',
  '-1s',
  '0s',
  'set',
  'get',
  'dg==',
  '!!',
  'http://127.0.0.1:1/',
  '127.0.0.1:1',
  0,
  1,
  -1,
  80.5,
  70_000,
  1e20,
  true,
  false,
  null,
  [],
  {},
  ['a'],
  [1],
  { a: 'b' },
  { '': 'x' },
];

/** Requests that look like real ones, most of them wrong in some way; the same for the same seed. */
export function* randomRequests(seed: number, count: number): Generator<Request> {
  const random = generator(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const object = (depth: number): unknown => {
    const entries = Array.from({ length: Math.floor(random() * 4) }, () => {
      const nested = depth > 0 && random() < 0.3;
      return [
        pick(KEYS),
        nested ? (random() < 0.5 ? object(depth - 1) : [object(depth - 1)]) : pick(VALUES),
      ] as const;
    });
    return Object.fromEntries(entries);
  };
  for (let n = 0; n < count; n++) {
    const [method, path] = pick(PATHS);
    const target = path.replace('ID', pick(IDS)) + (random() < 0.6 ? pick(QUERIES) : '');
    const used = random() < 0.05 ? pick(['GET', 'PUT', 'POST', 'DELETE']) : method;
    if (used === 'GET') yield [used, target];
    else if (random() < 0.1)
      yield [used, target, pick(['', '{', '[', 'null', '1', '"x"', '{"Name":', '[{}]', '{"Name":"a"}x'])];
    else yield [used, target, path === '/v1/txn' ? [object(2)] : object(2)];
  }
}

/** Mulberry32, by Tommy Ettinger: small, and good enough for choices. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
