import { Injectable, Module, type DynamicModule, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DiscoveryService, LockService, RegistrationService } from '@rookery/discovery';
import { eventually, FakeAgent, thrownBy } from '@rookery/test-support';
import { ConsulClient } from './client/consul-client.js';
import { ConsulConnect } from './connect/consul-connect.js';
import { ConsulModule } from './consul.module.js';
import type { ConsulModuleOptions, ConsulOptionsFactory } from './consul-module-options.js';
import { ConsulSession } from './coordination/presence/consul-session.js';
import { ConsulKv } from './kv/consul-kv.js';
import { ConsulRegistry } from './registry/consul.registry.js';

describe('ConsulModule', () => {
  let agent: FakeAgent;
  let app: INestApplicationContext | undefined;

  beforeEach(async () => {
    agent = await FakeAgent.start();
    agent.answers = { '/v1/status/leader': '10.0.0.2:8300' };
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    agent.stop();
  });
  const open = async (module: DynamicModule): Promise<INestApplicationContext> =>
    (app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false }));
  const options = (more: ConsulModuleOptions = {}): ConsulModuleOptions => ({
    agent: { url: agent.url },
    ...more,
  });
  const urlOf = (opened: INestApplicationContext): string => opened.get(ConsulClient).url;

  it('provides what apps inject, and no part of Connect unless it is asked for', async () => {
    const opened = await open(ConsulModule.forRoot(options()));
    const provided = [
      ConsulClient,
      ConsulKv,
      ConsulRegistry,
      ConsulSession,
      DiscoveryService,
      RegistrationService,
      LockService,
    ];
    for (const type of provided) expect(opened.get(type)).toBeInstanceOf(type);
    expect(opened.get(ConsulConnect)).toBeUndefined();
    expect(urlOf(opened)).toBe(agent.url);
  });

  it('takes options that depend on other providers, from a function', async () => {
    const URL = Symbol('url');
    @Module({ providers: [{ provide: URL, useFactory: () => agent.url }], exports: [URL] })
    class UrlModule {}
    const opened = await open(
      ConsulModule.forRootAsync({
        imports: [UrlModule],
        inject: [URL],
        useFactory: (url: string) => ({ agent: { url } }),
      }),
    );
    expect(urlOf(opened)).toBe(agent.url);
  });

  it('takes options from a class', async () => {
    const given = options();
    @Injectable()
    class Options implements ConsulOptionsFactory {
      createConsulOptions = async (): Promise<ConsulModuleOptions> => given;
    }
    expect(urlOf(await open(ConsulModule.forRootAsync({ useClass: Options })))).toBe(agent.url);
  });

  it.each([
    ['forRoot', () => ConsulModule.forRoot({ agent: { url: 'ftp://a' } })],
    ['forRootAsync', () => ConsulModule.forRootAsync({ useFactory: () => ({ agent: { url: 'ftp://a' } }) })],
  ])('says what is wrong with its options when the app is created: %s', async (_, module) => {
    const error = await thrownBy(open(module()));
    expect(error).toMatchObject({ code: 'RK_CONFIG_INVALID' });
    expect(error.message).toMatch(/ConsulModule: 1 option is wrong\s+- agent\.url = "ftp:\/\/a": must be/);
  });

  it('does not show a token in its metadata', () => {
    const module = ConsulModule.forRoot(options({ agent: { token: 'a-secret' } }));
    expect(JSON.stringify(module)).not.toContain('a-secret');
  });

  describe('a session', () => {
    beforeEach(() => {
      // Refused, so that nothing is left to renew: what was asked for is what counts.
      agent.answers['/v1/session/create'] = 403;
      agent.answers['/v1/agent/checks'] = {};
    });
    const created = (): unknown[] =>
      agent.requests.flatMap(({ url, body }) =>
        url.startsWith('/v1/session/create') ? [JSON.parse(body.toString()) as unknown] : [],
      );

    it('of locks has their options, and releases what it held', async () => {
      const opened = await open(ConsulModule.forRoot(options({ locks: { ttl: '20s', lockDelay: '30s' } })));
      expect(await thrownBy(opened.get(LockService).tryLock('jobs/one'))).toMatchObject({
        code: 'RK_ACL_DENIED',
      });
      expect(created()).toEqual([
        {
          ...{
            Name: expect.stringMatching(/^jobs\/one of an app/),
            Behavior: 'release',
            NodeChecks: [],
            ServiceChecks: [],
          },
          ...{ TTL: '20000ms', LockDelay: '30000ms' },
        },
      ]);
    });

    it('of ephemeral keys deletes them, and protects nothing', async () => {
      const opened = await open(
        ConsulModule.forRoot(options({ locks: { ttl: '20s', checks: ['serfHealth'] } })),
      );
      await opened.get(ConsulSession).put('workers/1', {});
      await eventually(() => created().length > 0);
      expect(created()[0]).toEqual({
        ...{ Name: expect.stringMatching(/^keys of /), Behavior: 'delete', NodeChecks: [] },
        ...{ TTL: '20000ms', LockDelay: '0ms', ServiceChecks: [{ ID: 'serfHealth' }] },
      });
    });

    it('with the checks of the service needs one', async () => {
      const opened = await open(ConsulModule.forRoot(options({ locks: { checks: 'service' } })));
      const { message } = await thrownBy(opened.get(LockService).tryLock('jobs/one'));
      expect(message).toMatch(/locks\.checks = 'service': this app has no check/);
      expect(created()).toEqual([]);
    });
  });
});
