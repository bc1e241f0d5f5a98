import { HttpService } from '@nestjs/axios';
import { Injectable, Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { getServiceClientToken, ServiceClient, ServiceClientsModule } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { DiscoveryError } from '@rookery/discovery';

const discovery = () =>
  DiscoveryModule.forRootAsync({ useFactory: () => ({ registry: new InMemoryRegistry() }) });

class Catalog {
  constructor(readonly inventory: HttpService) {}
}

@Module({
  imports: [ServiceClientsModule.forFeature(['inventory', { service: 'search', timeout: '2s' }])],
  providers: [
    {
      provide: Catalog,
      useFactory: (inventory: HttpService) => new Catalog(inventory),
      inject: [getServiceClientToken('inventory')],
    },
  ],
})
class CatalogModule {}

@Injectable()
class Shop {
  constructor(
    @ServiceClient('inventory') readonly plain: HttpService,
    @ServiceClient('inventory', { timeout: '2s' }) readonly hasty: HttpService,
    @ServiceClient('inventory', { retries: 3 }) readonly patient: HttpService,
  ) {}
}

describe('ServiceClientsModule.forFeature', () => {
  it('provides clients to a factory', async () => {
    const app = await Test.createTestingModule({ imports: [discovery(), CatalogModule] }).compile();
    const { inventory } = app.get(Catalog, { strict: false });
    expect(inventory).toBeInstanceOf(HttpService);
    expect(app.get(getServiceClientToken('search', { timeout: '2s' }), { strict: false })).toBeInstanceOf(
      HttpService,
    );
    await app.close();
  });

  it('provides clients to a module that is loaded later', async () => {
    const app = await Test.createTestingModule({ imports: [discovery()] }).compile();
    const loaded = await app.get(LazyModuleLoader).load(() => CatalogModule);
    expect(loaded.get(Catalog).inventory).toBeInstanceOf(HttpService);
    await app.close();
  });

  it('lets useMocker put mocks in their place', async () => {
    const mock = { get: () => 'mocked' };
    const app = await Test.createTestingModule({
      providers: [
        {
          provide: Catalog,
          useFactory: (own: HttpService) => new Catalog(own),
          inject: [getServiceClientToken('inventory')],
        },
      ],
    })
      .useMocker(() => mock)
      .compile();
    expect(app.get(Catalog).inventory).toBe(mock);
    await app.close();
  });

  it.each([
    ['an empty name', [''], /forFeature: "" is not a service name/],
    [
      'a wrong option',
      [{ service: 'inventory', timeot: '2s' }],
      /forFeature\('inventory'\).*timeot: unknown option/s,
    ],
  ])('refuses %s', (_, features, message) => {
    const declare = (): unknown => ServiceClientsModule.forFeature(features);
    expect(declare).toThrow(DiscoveryError);
    expect(declare).toThrow(message);
  });
});

describe('an override of a client by the name of its service', () => {
  it('replaces those with options too, unless a token names the options', async () => {
    const all = { replaced: 'all' };
    const patient = { replaced: 'patient' };
    const app = await Test.createTestingModule({ imports: [discovery()], providers: [Shop] })
      .overrideProvider(getServiceClientToken('inventory'))
      .useValue(all)
      .overrideProvider(getServiceClientToken('inventory', { retries: 3 }))
      .useValue(patient)
      .compile();
    const shop = app.get(Shop);
    expect([shop.plain, shop.hasty, shop.patient]).toEqual([all, all, patient]);
    await app.close();
  });

  it('is not there: each has its own', async () => {
    const app = await Test.createTestingModule({ imports: [discovery()], providers: [Shop] }).compile();
    const { plain, hasty, patient } = app.get(Shop);
    expect(new Set([plain, hasty, patient]).size).toBe(3);
    await app.close();
  });
});
