import { describe, expect, it } from '@jest/globals';
import type { RegistrationRecord, ServiceRegistration } from '../registry/service-registration.js';
import { decideRegistration, type RegistrationFacts } from './decide-registration.js';

const desired: ServiceRegistration = {
  id: 'a-host-1',
  service: 'a',
  address: undefined,
  port: 1,
  secure: false,
  tags: ['x', 'y'],
  enableTagOverride: false,
  meta: { v: '1' },
  weights: undefined,
  taggedAddresses: { wan: { address: '1.1.1.1', port: 1 } },
  checks: [{ id: 'a-host-1:ttl', name: 'TTL', notes: 'n', type: 'ttl', ttlMs: 30_000 }],
  status: 'passing',
  maintenance: undefined,
};
const held: RegistrationRecord = {
  service: 'a',
  address: undefined,
  port: 1,
  secure: false,
  tags: ['y', 'x'],
  meta: { v: '1' },
  weights: { passing: 1, warning: 1 },
  taggedAddresses: { wan: { address: '1.1.1.1', port: 1 }, lan_ipv4: { address: '2.2.2.2', port: 1 } },
  checks: [{ id: 'a-host-1:ttl', name: 'TTL', notes: 'n' }],
  status: 'passing',
  maintenance: undefined,
  failing: [],
};
const known: RegistrationFacts = {
  isOurs: true,
  afterOutage: false,
  isUnlisted: false,
  credentialsChanged: false,
  wasCritical: false,
  repairs: [],
  idHolder: undefined,
};
const unknown: RegistrationFacts = { ...known, isOurs: false };
const decide = (
  actual: RegistrationRecord | undefined,
  history: RegistrationFacts = known,
  wanted: ServiceRegistration = desired,
): ReturnType<typeof decideRegistration> => decideRegistration(wanted, actual, history, 100_000, () => 0.5);

describe('decideRegistration', () => {
  it('registers a missing registration at once', () => {
    expect(decide(undefined, unknown)).toMatchObject({ do: 'register', because: undefined, afterMs: 0 });
  });

  it('does nothing while the registration is as described, whatever the registry adds', () => {
    expect(decide(held)).toEqual({ do: 'nothing' });
  });

  it('F47 registers an instance as critical that was removed while it was critical', () => {
    expect(decide(undefined, { ...known, wasCritical: true })).toMatchObject({
      do: 'register',
      because: 'removed from the registry while it was critical',
      isCritical: true,
    });
    expect(decide(undefined)).toMatchObject({ because: 'missing from the registry', isCritical: false });
    expect(decide(undefined, { ...known, wasCritical: true, afterOutage: true })).toMatchObject({
      isCritical: false,
    });
  });

  it('replaces a registration that a previous process of the same place left', () => {
    expect(decide(held, unknown)).toMatchObject({ do: 'register', deregisterFirst: false });
    expect(decide({ ...held, meta: {} }, unknown)).toMatchObject({ do: 'register', deregisterFirst: false });
    // Its check would stay critical until it runs next.
    expect(decide({ ...held, status: 'critical' }, unknown)).toMatchObject({
      do: 'register',
      deregisterFirst: true,
    });
  });

  it('F03 repairs a removed registration at once', () => {
    expect(decide(undefined)).toMatchObject({ do: 'register', because: expect.any(String), afterMs: 0 });
  });

  it.each([
    ['service', { service: 'b' }],
    ['address', { address: '9.9.9.9' }],
    ['port', { port: 2 }],
    ['secure', { secure: true }],
    ['tags', { tags: ['x'] }],
    ['meta', { meta: { v: '2' } }],
    ['weights', { weights: { passing: 2, warning: 1 } }],
    ['taggedAddresses', { taggedAddresses: {} }],
    ['checks', { checks: [] }],
    ['checks', { checks: [...(held.checks ?? []), { id: 'other', name: 'other' }] }],
    ['checks', { checks: [{ id: 'a-host-1:ttl', name: 'TTL', notes: 'another' }] }],
  ] as [string, Partial<RegistrationRecord>][])('F03 repairs a changed %s', (field, change) => {
    const decision = decide({ ...held, ...change });
    expect(decision).toMatchObject({ do: 'register', because: `changed externally: ${field}`, afterMs: 0 });
  });

  it('repairs a registration that the agent has and the catalog lacks', () => {
    expect(decide(held, { ...known, isUnlisted: true })).toMatchObject({ do: 'register', isRepair: true });
  });

  it('F46 registers again when the credentials have changed, which is no repair', () => {
    expect(decide(held, { ...known, credentialsChanged: true })).toEqual({ do: 'refresh' });
    expect(decide(held, { ...unknown, credentialsChanged: true })).toMatchObject({ do: 'register' });
    expect(decide(undefined, { ...known, credentialsChanged: true })).toMatchObject({ isRepair: true });
  });

  it('F20 registers again after an outage with jitter over a second, and does not count it as a conflict', () => {
    const decision = decide(undefined, { ...known, afterOutage: true });
    expect(decision).toMatchObject({ do: 'register', afterMs: 500, isRepair: false, isContested: false });
  });

  it('repairs no more than six times a minute, and reports the conflict', () => {
    const afterRepairs = (...repairs: number[]): unknown => decide(undefined, { ...known, repairs });
    expect(afterRepairs(99_000, 99_500)).toMatchObject({ afterMs: 0, isContested: false });
    expect(afterRepairs(98_000, 99_000, 99_500)).toMatchObject({ afterMs: 0, isContested: true });
    expect(afterRepairs(90_000, 91_000, 92_000, 93_000, 94_000, 95_000)).toMatchObject({ afterMs: 50_000 });
    expect(afterRepairs(20_000, 91_000, 92_000, 93_000, 94_000, 95_000)).toMatchObject({ afterMs: 0 });
  });

  it('F17 probes another instance with its id, and yields to it if it is alive, else takes over', () => {
    const elsewhere = { ...held, port: 2 };
    expect(decide(elsewhere, unknown)).toEqual({ do: 'probe', address: undefined, port: 2 });
    expect(decide(elsewhere, { ...unknown, idHolder: 'reachable' })).toMatchObject({ do: 'yield' });
    expect(decide(elsewhere, { ...unknown, idHolder: 'unreachable' })).toMatchObject({ do: 'register' });
  });

  it('restores maintenance, and ends it', () => {
    const inMaintenance = { ...desired, maintenance: 'update' };
    expect(decide(held, known, inMaintenance)).toEqual({ do: 'set-maintenance', reason: 'update' });
    const maintained = { ...held, maintenance: 'another reason' };
    expect(decide(maintained, known, inMaintenance)).toEqual({ do: 'nothing' });
    expect(decide(maintained)).toEqual({ do: 'set-maintenance', reason: undefined });
  });
});
