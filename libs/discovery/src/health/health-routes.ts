import type { IncomingMessage } from 'node:http';
import { Logger } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { HealthCheckResult } from '@nestjs/terminus';
import { errorMessage } from '../errors/error-message.js';
import { isExposedTo, type Exposure } from './exposure.js';
import type { HealthGroup } from './health-contributor.decorator.js';
import type { HealthService } from './health.service.js';

const logger = new Logger('Health');
const CONSUL_AGENT = 'Consul Health Check';

export interface HealthRoutes {
  readonly path: string;
  /** Which callers receive the details (the indicators and their messages); others receive only the status. */
  readonly exposure: Exposure;
  /** Custom groups, each at a path of its own. */
  readonly groups: readonly string[];
  /** The app has a route of its own at this path, which is used instead. */
  readonly isTaken: (path: string) => boolean;
}

/** The common part of both adapters' requests: Express passes Node's own, Fastify wraps it. */
interface AdapterRequest extends Pick<IncomingMessage, 'headers' | 'socket'> {
  readonly raw?: IncomingMessage;
}

/**
 * Mounts `<path>`, `<path>/live`, `<path>/ready`, and a path for each custom group.
 *
 * They are mounted on the HTTP adapter, not in a controller: a global prefix, guard, interceptor or version of the app must
 * not hide them from the registry's check.
 */
export function mountHealthRoutes(
  adapter: AbstractHttpAdapter,
  { path, exposure, groups, isTaken }: HealthRoutes,
  health: HealthService,
): void {
  const mount = (at: string, group?: HealthGroup): void => {
    if (isTaken(at)) return;
    adapter.get(at, (request: AdapterRequest, response: unknown) => {
      const reply = (body: object, status: number): void => {
        // Something else has answered, such as a middleware of the app that limits the time.
        if (adapter.isHeadersSent(response)) return;
        adapter.setHeader(response, 'Cache-Control', 'no-cache, no-store, must-revalidate');
        adapter.reply(response, body, status);
      };
      health
        .check(group)
        .then((result) => {
          const body = isExposedTo(exposure, request.raw ?? request) ? result : { status: result.status };
          // Fails for what JSON cannot represent, before the adapter does: every caller gets the same error.
          JSON.stringify(result);
          reply(body, httpStatus(result, request.headers['user-agent']));
        })
        // The registry has to see the failure, and the process must go on.
        .catch((error: unknown) => reply({ status: 'error', message: errorMessage(error) }, 503))
        .catch((error: unknown) => logger.error(`cannot answer a health check: ${errorMessage(error)}`));
    });
  };
  mount(path);
  mount(`${path}/live`, 'liveness');
  mount(`${path}/ready`, 'readiness');
  for (const group of groups) mount(`${path}/${group}`, group);
}

/** Consul reads 429 as *warning*; for every other client a degraded app responds with 200. */
export function httpStatus({ status }: HealthCheckResult, userAgent = ''): number {
  if (status === 'ok') return 200;
  if (status === 'degraded') return userAgent.startsWith(CONSUL_AGENT) ? 429 : 200;
  return 503;
}
