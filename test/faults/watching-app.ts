import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ConsulModule,
  type ConsulModuleOptions,
  DiscoveryEvents,
  DiscoveryService,
  type TimedDiscoveryEvent,
} from '@rookery/consul';
import type { ConsulAgent } from '@rookery/test-support';
import { rootModule } from '../e2e/test-app.js';

export interface WatchingApp {
  readonly discovery: DiscoveryService;
  readonly events: readonly TimedDiscoveryEvent[];
  /** Ids of the usable instances, sorted. */
  ids(service: string): Promise<string[]>;
  close(): Promise<void>;
}

/** An app in this process that watches others, and records its events; with a service of its own it listens. */
export async function startWatching(options: ConsulModuleOptions): Promise<WatchingApp> {
  const module = rootModule([ConsulModule.forRoot(options)]);
  const app = await startQuietly(module, options.service !== undefined);
  const events: TimedDiscoveryEvent[] = [];
  app.get(DiscoveryEvents).events$.subscribe((event) => events.push(event));
  const discovery = app.get(DiscoveryService);
  return {
    discovery,
    events,
    ids: async (service) => (await discovery.getInstances(service)).map(({ id }) => id).sort(),
    close: () => app.close(),
  };
}

async function startQuietly(module: DynamicModule, listens: boolean): Promise<INestApplicationContext> {
  const quiet = { logger: false, abortOnError: false } as const;
  if (!listens) return NestFactory.createApplicationContext(module, quiet);
  const app = await NestFactory.create(module, quiet);
  await app.listen(0);
  return app;
}

/** Registers an instance with the catalog's API: no agent checks it, nothing has to listen. */
export function catalogInstance(service: string, id: string, port: number, more: object = {}): object {
  return {
    Node: 'external',
    Address: '127.0.0.1',
    SkipNodeUpdate: true,
    Service: { ID: id, Service: service, Port: port, ...more },
  };
}

export async function putInstance(
  agent: Pick<ConsulAgent, 'request'>,
  service: string,
  id: string,
  port: number,
  more: object = {},
): Promise<void> {
  const { status, body } = await agent.request(
    'PUT',
    '/v1/catalog/register',
    catalogInstance(service, id, port, more),
  );
  if (status !== 200) throw new Error(`catalog/register: ${status} ${JSON.stringify(body)}`);
}

export async function removeInstance(agent: Pick<ConsulAgent, 'request'>, id: string): Promise<void> {
  await agent.request('PUT', '/v1/catalog/deregister', { Node: 'external', ServiceID: id });
}
