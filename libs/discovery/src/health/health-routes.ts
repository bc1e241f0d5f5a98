import type { AbstractHttpAdapter } from '@nestjs/core';
import type { HealthCheckResult } from '@nestjs/terminus';
import type { IncomingHttpHeaders } from 'node:http';
import { reasonOf } from '../errors/reason-of.js';
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
      const reply = (body: object, status: number): void => {
        adapter.setHeader(response, 'Cache-Control', 'no-cache, no-store, must-revalidate');
        adapter.reply(response, body, status);
      };
      health
        .check(group)
        .then((result) => reply(result, httpStatus(result, request.headers['user-agent'])))
        // A result that JSON cannot carry, say: the registry is to hear of it, and the process to live.
        .catch((error: unknown) => reply({ status: 'error', message: reasonOf(error) }, 503));
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
