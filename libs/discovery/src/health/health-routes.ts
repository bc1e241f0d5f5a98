import type { IncomingMessage } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { HealthCheckResult } from '@nestjs/terminus';
import { reasonOf } from '../errors/error-message.js';
import type { HealthGroup } from './health-contributor.decorator.js';
import type { HealthService } from './health.service.js';

const CONSUL_AGENT = 'Consul Health Check';

/** Who is told more than the status: which indicators there are, and what is wrong with them. */
export type HealthDetails = 'nobody' | 'loopback' | 'everyone';

export interface HealthRoutes {
  readonly path: string;
  readonly details: HealthDetails;
  /** Groups of the app's own, each at its path. */
  readonly groups: readonly string[];
}

/** As much of a request as both adapters have: Express gives Node's own, Fastify wraps it. */
interface AdapterRequest extends Pick<IncomingMessage, 'headers' | 'socket'> {
  readonly raw?: IncomingMessage;
}

/**
 * Mounts `<path>`, `<path>/live`, `<path>/ready`, and a path for each group of the app's own.
 *
 * They stand on the HTTP adapter, not in a controller: a global prefix, guard, interceptor or version of the app must
 * not hide them from the registry's check.
 */
export function mountHealthRoutes(
  adapter: AbstractHttpAdapter,
  { path, details, groups }: HealthRoutes,
  health: HealthService,
): void {
  const mount = (at: string, group?: HealthGroup): void => {
    adapter.get(at, (request: AdapterRequest, response: unknown) => {
      const reply = (body: object, status: number): void => {
        adapter.setHeader(response, 'Cache-Control', 'no-cache, no-store, must-revalidate');
        adapter.reply(response, body, status);
      };
      health
        .check(group)
        .then((result) => {
          const body = mayKnow(details, request.raw ?? request) ? result : { status: result.status };
          // Whatever the adapter would make of what JSON cannot carry, all are told the same.
          JSON.stringify(result);
          reply(body, httpStatus(result, request.headers['user-agent']));
        })
        // A result that JSON cannot carry, say: the registry is to hear of it, and the process to live.
        .catch((error: unknown) => reply({ status: 'error', message: reasonOf(error) }, 503));
    });
  };
  mount(path);
  mount(`${path}/live`, 'liveness');
  mount(`${path}/ready`, 'readiness');
  for (const group of groups) mount(`${path}/${group}`, group);
}

/** Consul reads 429 as *warning*; to everybody else a degraded app is one that answers. */
export function httpStatus({ status }: HealthCheckResult, userAgent = ''): number {
  if (status === 'ok') return 200;
  if (status === 'degraded') return userAgent.startsWith(CONSUL_AGENT) ? 429 : 200;
  return 503;
}

const PROXY_HEADERS = ['x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'forwarded', 'via'] as const;

/** A proxy on this host asks on behalf of others. */
export function mayKnow(
  details: HealthDetails,
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
): boolean {
  if (details !== 'loopback') return details === 'everyone';
  const isProxied = PROXY_HEADERS.some((name) => headers[name] !== undefined);
  const isForThisHost = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/i.test(headers.host ?? '');
  const { remoteAddress = '' } = socket;
  return !isProxied && isForThisHost && /^(127\.|::1$|::ffff:127\.)/.test(remoteAddress);
}
