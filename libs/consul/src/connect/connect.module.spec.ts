import { createServer, type Server } from 'node:http';
import { ConsoleLogger, Logger } from '@nestjs/common';
import type { AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordingLogger } from '@rookery/test-support';
import type { DiscoverySections, HealthContributors } from '@rookery/discovery/adapter';
import { ConnectModule } from './connect.module.js';
import type { ConsulConnect } from './consul-connect.js';

describe('ConnectModule', () => {
  let steps: unknown[];
  let identity: { isComplete: boolean; isValid: boolean };
  let isReady: boolean;
  let contributors: { name: string; groups: readonly string[]; run: () => unknown }[];
  let sections: [string, () => unknown][];
  let logger: RecordingLogger;

  beforeEach(() => {
    steps = [];
    identity = { isComplete: true, isValid: true };
    isReady = true;
    contributors = [];
    sections = [];
    logger = new RecordingLogger();
    Logger.overrideLogger(logger);
  });
  afterEach(() => {
    Logger.overrideLogger(new ConsoleLogger());
  });

  const open = (server: Server | undefined, isPart = true): ConnectModule => {
    const connect = {
      ...{ ready: Promise.resolve(), identity },
      get isReady() {
        return isReady;
      },
      guard: (guarded: Server) => steps.push(['guard', guarded]),
      start: () => steps.push('start'),
      close: () => steps.push('close'),
      explain: () => ({ of: 'connect' }),
    };
    const adapter = server ? { getHttpServer: () => server } : null;
    return new ConnectModule(
      isPart ? (connect as unknown as ConsulConnect) : undefined,
      { httpAdapter: adapter } as unknown as HttpAdapterHost<AbstractHttpAdapter<Server>>,
      {
        add: (each: (typeof contributors)[number]) => contributors.push(each),
      } as unknown as HealthContributors,
      { add: (...each: [string, () => unknown]) => sections.push(each) } as unknown as DiscoverySections,
    );
  };

  it('guards the server, and tells of it', async () => {
    const server = createServer();
    const module = open(server);
    await module.onModuleInit();
    expect(steps).toEqual([['guard', server], 'start']);
    expect(contributors).toEqual([expect.objectContaining({ name: 'connect', groups: ['readiness'] })]);
    expect(sections.map(([name, explain]) => [name, explain()])).toEqual([['connect', { of: 'connect' }]]);
    module.onApplicationShutdown();
    expect([steps.at(-1), logger.lines]).toEqual(['close', []]);
  });

  it('has nothing to guard without a server, and nothing to do for an app that is no part of the mesh', async () => {
    await open(undefined).onModuleInit();
    expect(steps).toEqual(['start']);
    steps = [];
    const none = open(createServer(), false);
    await none.onModuleInit();
    none.onApplicationShutdown();
    expect(steps).toEqual([]);
  });

  it('says why it is not ready', async () => {
    await open(undefined).onModuleInit();
    const health = (): unknown => contributors[0]?.run();
    expect(health()).toEqual({ connect: { status: 'up' } });
    isReady = false;
    const down = (message: string): unknown => ({ connect: { status: 'down', message } });
    expect(health()).toEqual(down('the intentions of Consul are not known yet'));
    identity.isValid = false;
    expect(health()).toEqual(down('the certificate of Consul Connect has expired'));
    identity.isComplete = false;
    expect(health()).toEqual(down('there is no certificate of Consul Connect yet'));
  });
});
