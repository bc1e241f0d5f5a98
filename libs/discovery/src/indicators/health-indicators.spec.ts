import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import type { ServiceCatalog } from '../catalog/service-catalog.js';
import { InMemoryRegistry } from '../testing/in-memory.registry.js';
import type { RegistrationService } from '../registration/registration.service.js';
import { RegistryHealthIndicator } from './registry.health-indicator.js';
import { ServiceHealthIndicator } from './service.health-indicator.js';

const never = new Promise<never>(() => undefined);

describe('the health indicators, while the registry says nothing', () => {
  it('tell what is asked for of a service before the contributor is given up', async () => {
    const clock = new FakeClock();
    const catalog = { snapshot: () => never } as unknown as ServiceCatalog;
    const services = new ServiceHealthIndicator(catalog, clock, 2_000);
    const asked = services.isAvailable('inventory', { otherwise: 'degraded' });
    await clock.advance(2_000);
    const message = 'no list within 2000 ms';
    expect(await asked).toEqual({ inventory: { status: 'degraded', instances: 0, message } });
    expect(clock.pending).toBe(0);
  });

  it('are degraded, and never down, because of the registry', async () => {
    const registry = new InMemoryRegistry();
    registry.ping = (signal?: AbortSignal) =>
      new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    const registration = { status: { state: 'registered' } } as RegistrationService;
    const catalog = { oldestStalenessMs: () => undefined } as unknown as ServiceCatalog;
    const health = new RegistryHealthIndicator(registry, registration, catalog, 20);
    expect(await health.isHealthy()).toMatchObject({ registry: { status: 'degraded', leader: false } });
  });
});
