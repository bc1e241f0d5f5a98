import { describe, expect, it } from '@jest/globals';
import { layerPaths, type LayoutOptions } from './layer-paths.js';

const layout: LayoutOptions = {
  prefixes: ['config'],
  name: 'inventory',
  sharedName: 'application',
  profiles: ['prod', 'eu'],
  profileSeparator: ',',
  order: 'name',
  format: 'keys',
};

describe('layerPaths', () => {
  it('orders by name, then by profile, as Spring Cloud Consul does', () => {
    expect(layerPaths(layout)).toEqual([
      'config/application/',
      'config/application,prod/',
      'config/application,eu/',
      'config/inventory/',
      'config/inventory,prod/',
      'config/inventory,eu/',
    ]);
  });

  it('orders by profile, then by name', () => {
    expect(layerPaths({ ...layout, order: 'profile' })).toEqual([
      'config/application/',
      'config/inventory/',
      'config/application,prod/',
      'config/inventory,prod/',
      'config/application,eu/',
      'config/inventory,eu/',
    ]);
  });

  it('reads files, several prefixes, and a service without a name', () => {
    expect(layerPaths({ ...layout, profiles: ['prod'], profileSeparator: '-', format: 'files' })).toEqual([
      'config/application.',
      'config/application-prod.',
      'config/inventory.',
      'config/inventory-prod.',
    ]);
    expect(
      layerPaths({ ...layout, prefixes: ['base', 'teams/shop'], name: undefined, profiles: [] }),
    ).toEqual(['base/application/', 'teams/shop/application/']);
    expect(layerPaths({ ...layout, prefixes: [''], name: 'application', profiles: [] })).toEqual([
      'application/',
    ]);
  });
});
