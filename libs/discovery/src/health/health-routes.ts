import type { AbstractHttpAdapter } from '@nestjs/core';
import type { HealthCheckResult } from '@nestjs/terminus';
import type { IncomingHttpHeaders } from 'node:http';
import type { HealthGroup } from './health-contributor.decorator.js';
import type { HealthService } from './health.service.js';

const CONSUL_AGENT = 'Consul Health Check';

/**
 * Mounts `<path>`, `<path>/live` and `<path>/ready`.
 *
 * They stand on the HTTP adapter, not in a controller: a global prefix, guard, interceptor or version of the app must
 * not hide them from the registry's check.
 */
export function mountHealthRoutes(adapter: AbstractHttpAdapter, path: string, health: HealthService): void {
  const mount = (at: string, group?: HealthGroup): void => {
    adapter.get(at, (request: { headers: IncomingHttpHeaders }, response: unknown) => {
      void health.check(group).then((result) => {
        adapter.setHeader(response, 'Cache-Control', 'no-cache, no-store, must-revalidate');
        return adapter.reply(response, result, httpStatus(result, request.headers['user-agent'])) as unknown;
      });
    });
  };
  mount(path);
  mount(`${path}/live`, 'liveness');
  mount(`${path}/ready`, 'readiness');
}

/** Consul reads 429 as *warning*; to everybody else a degraded app is one that answers. */
export function httpStatus({ status }: HealthCheckResult, userAgent = ''): number {
  if (status === 'ok') return 200;
  if (status === 'degraded') return userAgent.startsWith(CONSUL_AGENT) ? 429 : 200;
  return 503;
}
