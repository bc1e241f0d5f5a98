import type { ConformanceCase } from '../conformance-case.js';
import { PATHS, QUERIES } from '../random-request.js';

const SESSION = '11111111-2222-3333-4444-555555555555';
/** The body that each path needs; all others take an empty object. */
const BODIES: Readonly<Record<string, unknown>> = {
  '/v1/agent/service/register': { Name: 'a' },
  '/v1/agent/check/register': { Name: 'b', ID: 'a', TTL: '10s' },
  '/v1/agent/check/update/ID': { Status: 'passing' },
  '/v1/catalog/register': { Node: 'a', Address: '1.1.1.1' },
  '/v1/catalog/deregister': { Node: 'a' },
  '/v1/txn': [],
  '/v1/query': { Service: { Service: 'a' } },
};

/** Every option on every path: one that a path does not read must not be refused, and one that it reads must. */
export const optionCases: readonly ConformanceCase[] = PATHS.flatMap(([method, path]) =>
  (path.includes('ID') ? ['a', SESSION] : ['']).map((id) => ({
    area: 'options',
    name: `${method} ${path.replace('ID', id)} with each of ${QUERIES.length} options`,
    observe: async (api) => {
      const statuses: Record<string, number> = {};
      for (const query of QUERIES) {
        await api.raw('PUT', '/v1/agent/service/register', {
          Name: 'a',
          Check: { CheckID: 'a', TTL: '60s', Status: 'passing' },
        });
        await api.raw('PUT', '/v1/kv/a', 'v');
        const body = method === 'GET' ? undefined : (BODIES[path] ?? {});
        statuses[query] = (await api.raw(method, path.replace('ID', id) + query, body)).status;
      }
      return statuses;
    },
  })),
);
