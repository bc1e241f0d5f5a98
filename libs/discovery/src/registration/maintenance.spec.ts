import { beforeEach, describe, expect, it } from '@jest/globals';
import type { RegistrationRecord, ServiceRegistration } from '../registry/service-registration.js';
import { Maintenance } from './maintenance.js';

const planned: ServiceRegistration = {
  ...{ id: 'web-1', service: 'web', address: '10.0.0.1', port: 80, secure: false },
  ...{ tags: [], enableTagOverride: false, meta: {}, weights: undefined, taggedAddresses: {}, checks: [] },
  ...{ status: 'passing', maintenance: undefined },
};
const record = (more: Partial<RegistrationRecord> = {}): RegistrationRecord => ({
  ...{ service: 'web', address: '10.0.0.1', port: 80, secure: false, tags: [], meta: {} },
  ...{ weights: { passing: 1, warning: 1 }, taggedAddresses: {}, checks: [] },
  ...{ status: 'passing', failing: [], maintenance: undefined, ...more },
});

describe('Maintenance', () => {
  let maintenance: Maintenance;
  beforeEach(() => {
    maintenance = new Maintenance();
  });

  it('adopts what an operator sets, and its end', () => {
    maintenance.adopt(planned, record({ maintenance: 'disk' }), false);
    expect(maintenance.reason).toBe('disk');
    maintenance.adopt(planned, record(), false);
    expect(maintenance.reason).toBeUndefined();
  });

  it('is not ended by our own registration, nor by what another writer has changed', () => {
    maintenance.adopt(planned, record({ maintenance: 'disk' }), false);
    maintenance.adopt(planned, record(), true);
    maintenance.adopt(planned, record({ meta: { a: 'b' } }), false);
    expect(maintenance.reason).toBe('disk');
  });

  it('is not that of another instance that has our id', () => {
    maintenance.adopt(planned, record({ maintenance: 'theirs', port: 81 }), false);
    expect(maintenance.reason).toBeUndefined();
  });

  it('keeps what the app has set until the registry shows it', () => {
    maintenance.set('deploying');
    maintenance.adopt(planned, record(), false);
    expect(maintenance.reason).toBe('deploying');
    maintenance.adopt(planned, record({ maintenance: 'deploying' }), false);
    maintenance.adopt(planned, record(), false);
    expect(maintenance.reason).toBeUndefined();
  });

  it('keeps the end that the app has set until the registry shows it', () => {
    maintenance.adopt(planned, record({ maintenance: 'disk' }), false);
    maintenance.set(undefined);
    maintenance.adopt(planned, record({ maintenance: 'disk' }), false);
    expect(maintenance.reason).toBeUndefined();
    maintenance.adopt(planned, record(), false);
    maintenance.adopt(planned, record({ maintenance: 'again' }), false);
    expect(maintenance.reason).toBe('again');
  });
});
