import { describe, expect, it } from '@jest/globals';
import { ConsoleLogger, Logger } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { HealthCheckResult } from '@nestjs/terminus';
import { RecordingLogger, settle } from '@rookery/test-support';
import { httpStatus, mountHealthRoutes, type HealthRoutes } from './health-routes.js';
import type { HealthService } from './health.service.js';

type Handler = (request: object, response: object) => void;

const LOCAL = { headers: { host: 'localhost' }, socket: { remoteAddress: '127.0.0.1' } };
const REMOTE = { headers: { host: 'app' }, socket: { remoteAddress: '10.0.0.9' } };

function mounted(
  options: Partial<HealthRoutes>,
  check: (group?: string) => Promise<unknown>,
  adapterOptions: object = {},
) {
  const handlers = new Map<string, Handler>();
  const replies: { body: unknown; status: number; headers: Record<string, string> }[] = [];
  let headers: Record<string, string> = {};
  const adapter = {
    get: (path: string, handler: Handler) => handlers.set(path, handler),
    setHeader: (_response: object, name: string, value: string) => (headers = { ...headers, [name]: value }),
    reply: (_response: object, body: unknown, status: number) => replies.push({ body, status, headers }),
    isHeadersSent: () => false,
    ...adapterOptions,
  } as unknown as AbstractHttpAdapter;
  const routes = {
    path: '/health',
    exposure: 'loopback',
    groups: [],
    isTaken: () => false,
    ...options,
  } as const;
  mountHealthRoutes(adapter, routes, { check } as unknown as HealthService);
  return {
    paths: [...handlers.keys()],
    async ask(path: string, request: object = LOCAL) {
      headers = {};
      handlers.get(path)?.(request, {});
      await settle();
      return replies.pop();
    },
  };
}

const DETAILS = { status: 'ok', details: { database: { status: 'up' } } };

describe('the health routes', () => {
  it('leave a response alone that something else has answered, and survive one that cannot be', async () => {
    const check = () => Promise.resolve(DETAILS);
    expect(await mounted({}, check, { isHeadersSent: () => true }).ask('/health')).toBeUndefined();
    const logger = new RecordingLogger();
    Logger.overrideLogger(logger);
    const reply = (): never => {
      throw new Error('no response');
    };
    expect(await mounted({}, check, { reply }).ask('/health')).toBeUndefined();
    Logger.overrideLogger(new ConsoleLogger());
    expect(logger.matching(/^error cannot answer a health check: no response/)).toHaveLength(1);
  });

  it('are one for all, for liveness, for readiness, and for each custom group, unless the app has its own', () => {
    const check = () => Promise.resolve(DETAILS);
    expect(mounted({ groups: ['startup'] }, check).paths).toEqual([
      ...['/health', '/health/live', '/health/ready', '/health/startup'],
    ]);
    expect(mounted({ path: '/up', isTaken: (path) => path === '/up/live' }, check).paths).toEqual([
      '/up',
      '/up/ready',
    ]);
  });

  it('ask for their group', async () => {
    const asked: (string | undefined)[] = [];
    const routes = mounted({ groups: ['startup'] }, (group) => {
      asked.push(group);
      return Promise.resolve(DETAILS);
    });
    for (const path of routes.paths) await routes.ask(path);
    expect(asked).toEqual([undefined, 'liveness', 'readiness', 'startup']);
  });

  it('show the details to this host only, and are not to be cached', async () => {
    const routes = mounted({}, () => Promise.resolve(DETAILS));
    const headers = { 'Cache-Control': 'no-cache, no-store, must-revalidate' };
    expect(await routes.ask('/health')).toEqual({ body: DETAILS, status: 200, headers });
    expect(await routes.ask('/health', REMOTE)).toEqual({ body: { status: 'ok' }, status: 200, headers });
    // As Fastify passes it.
    expect(await routes.ask('/health', { ...REMOTE, raw: LOCAL })).toMatchObject({ body: DETAILS });
  });

  it('answer with an error what cannot be told, or cannot be sent, to all callers alike', async () => {
    const broken = mounted({}, () => Promise.reject(new Error('no result')));
    expect(await broken.ask('/health')).toMatchObject({
      body: { status: 'error', message: 'no result' },
      status: 503,
    });
    const unsendable = mounted({}, () => Promise.resolve({ status: 'ok', details: { size: 1n } }));
    for (const request of [LOCAL, REMOTE])
      expect(await unsendable.ask('/health', request)).toMatchObject({
        body: { status: 'error' },
        status: 503,
      });
  });

  it('have the status that Consul reads, and 200 for others while the app is degraded', async () => {
    const statusOf = (status: string, userAgent?: string): number =>
      httpStatus({ status } as HealthCheckResult, userAgent);
    expect(['ok', 'degraded', 'error', 'shutting_down'].map((each) => statusOf(each))).toEqual([
      200, 200, 503, 503,
    ]);
    expect(statusOf('degraded', 'Consul Health Check')).toBe(429);
    expect(statusOf('degraded', 'not Consul Health Check')).toBe(200);
    expect(statusOf('ok', 'Consul Health Check')).toBe(200);
    const routes = mounted({}, () => Promise.resolve({ status: 'degraded' }));
    const consul = { ...LOCAL, headers: { ...LOCAL.headers, 'user-agent': 'Consul Health Check' } };
    expect(await routes.ask('/health', consul)).toMatchObject({ status: 429 });
  });
});
