import { describe, expect, it } from '@jest/globals';
import { worstRegistration, type InstanceRegistrationStatus } from './registration-status.js';

describe('worstRegistration', () => {
  const of = (state: InstanceRegistrationStatus['state']): InstanceRegistrationStatus => ({
    state,
    id: `of ${state}`,
    service: 'inventory',
    reason: `since ${state}`,
  });

  it('is idle without any', () => {
    const nothing = { state: 'idle', id: undefined, service: undefined, reason: undefined };
    expect(worstRegistration([])).toEqual({ ...nothing, instances: [] });
  });

  it('is the worst of them, in whichever order, and has all', () => {
    const fromBest = ['registered', 'deregistered', 'idle', 'pending', 'unconfirmed'] as const;
    for (const [best, name] of fromBest.entries())
      for (const worse of fromBest.slice(best))
        for (const instances of [
          [of(name), of(worse)],
          [of(worse), of(name)],
        ])
          expect(worstRegistration(instances)).toEqual({ ...of(worse), instances });
  });
});
