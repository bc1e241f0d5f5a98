import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import type { DiscoveryOptions } from './discovery-options.js';
import { DiscoveryModule } from './discovery.module.js';
import { DiscoveryService } from './discovery.service.js';
import { StaticSource } from './registry/static.source.js';
import { resolveDiscoveryOptions } from './resolve-options.js';
import { InMemoryRegistry } from './testing/in-memory.registry.js';

describe('the zone that calls stay in', () => {
  const zoneOf = (options: DiscoveryOptions, variables: NodeJS.ProcessEnv = {}): string | undefined =>
    resolveDiscoveryOptions(options, variables).callerZone;
  const registered = { name: 'shop', zone: 'of the service' };
  const environment = { ROOKERY_ZONE: 'of the environment' };

  it('is that of the clients, else that of the first service, else that of the environment', () => {
    expect(zoneOf({ clients: { zone: 'of the clients' }, service: registered }, environment)).toBe(
      'of the clients',
    );
    expect(zoneOf({ service: registered }, environment)).toBe('of the service');
    expect(zoneOf({ service: [registered, { name: 'other', zone: 'another' }] })).toBe('of the service');
    expect(zoneOf({ service: { name: 'shop' } }, environment)).toBe('of the environment');
    expect(zoneOf({}, environment)).toBe('of the environment');
  });

  it('is none where there is none, where the variable is empty, and where it is turned off', () => {
    expect(zoneOf({})).toBeUndefined();
    expect(zoneOf({}, { ROOKERY_ZONE: '' })).toBeUndefined();
    expect(zoneOf({ clients: { zone: false }, service: registered }, environment)).toBeUndefined();
  });

  it.each([
    ['a', ['a']],
    ['b', ['b']],
    [false, ['a', 'b']],
  ] as const)('is where the instances are that an app picks: %s', async (zone, picked) => {
    const inventory = Array.from({ length: 8 }, (_, n) => ({
      ...{ address: '127.0.0.1', port: 3_000 + n },
      zone: n % 2 === 0 ? 'a' : 'b',
    }));
    const discovery = DiscoveryModule.forRootAsync({
      useFactory: () => ({
        registry: new InMemoryRegistry(),
        clients: { zone },
        discovery: { sources: [new StaticSource({ inventory })] },
      }),
    });
    class App {}
    Module({ imports: [discovery] })(App);
    const app = await NestFactory.createApplicationContext(App, { logger: false });
    const zones = new Set<string | undefined>();
    for (let n = 0; n < 60; n++) zones.add((await app.get(DiscoveryService).choose('inventory')).zone);
    await app.close();
    expect([...zones].sort()).toEqual(picked);
  });
});
