import type { ConsulApi } from '../consul-api.js';
import type { ConformanceCase } from '../conformance-case.js';

/** Consul checks these every 30 s, and deregisters none before it has been critical for a minute. */
const NOT_BEFORE_MS = 55_000;
const AT_LATEST_MS = 100_000;

const SERVICES: readonly (readonly [id: string, check: Record<string, unknown>])[] = [
  ['soon', { TTL: '1s', DeregisterCriticalServiceAfter: '1s' }],
  ['in-a-minute', { TTL: '1s', DeregisterCriticalServiceAfter: '1m' }],
  ['later', { TTL: '1s', DeregisterCriticalServiceAfter: '10m' }],
  ['never', { TTL: '1s' }],
  ['passing', { TTL: '10m', Status: 'passing', DeregisterCriticalServiceAfter: '1m' }],
  ['warning', { TTL: '10m', Status: 'warning', DeregisterCriticalServiceAfter: '1m' }],
];

/** Cases that take minutes, on separate agents, beside the others. What takes longer is tested with the fake clock. */
export const slowCases: readonly ConformanceCase[] = [
  {
    area: 'reaper',
    name: 'a service that stays critical is deregistered after its time, and no other is',
    observe: async (api) => {
      for (const [id, check] of SERVICES) {
        await api.raw('PUT', '/v1/agent/service/register', {
          ID: id,
          Name: 'reaped',
          Check: { CheckID: `${id}:check`, ...check },
        });
      }
      await pause(NOT_BEFORE_MS);
      const before = await registered(api);
      const until = performance.now() + AT_LATEST_MS - NOT_BEFORE_MS;
      while (performance.now() < until && (await registered(api)).includes('soon')) await pause(250);
      await pause(500);
      return [
        before,
        await registered(api),
        await api.ask('PUT', '/v1/agent/check/pass/soon:check'),
        await api.ask('GET', '/v1/health/service/reaped?filter=Service.ID==soon'),
        await api.ask('GET', '/v1/agent/service/soon'),
      ];
    },
  },
];

async function registered(api: ConsulApi): Promise<string[]> {
  return Object.keys((await api.raw('GET', '/v1/agent/services')).json as object).sort();
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
