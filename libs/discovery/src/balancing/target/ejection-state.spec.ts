import { describe, expect, it } from '@jest/globals';
import { EjectionState, type Ejection } from './ejection-state.js';

const EJECTION: Ejection = {
  ...{ since: 1_000, until: 31_000, reason: '5 failures in a row', isRequested: false, wasRefused: true },
};

describe('EjectionState', () => {
  it('is active, ejected, half-open with one trial at a time, and active again', () => {
    const state = new EjectionState();
    expect(state).toMatchObject({ phase: 'active', isActive: true, ejection: undefined, count: 0 });
    state.halfOpen();
    state.beginTrial(31_000);
    expect(state).toMatchObject({ phase: 'active', isTrialInFlight: false });
    state.eject(EJECTION);
    expect(state).toMatchObject({ phase: 'ejected', isActive: false, ejection: EJECTION });
    state.beginTrial(31_000);
    expect(state.isTrialInFlight).toBe(false);
    state.halfOpen();
    expect(state).toMatchObject({ phase: 'half-open', ejection: EJECTION, isTrialInFlight: false });
    state.beginTrial(31_000);
    expect(state).toMatchObject({ phase: 'half-open', ejection: EJECTION, isTrialInFlight: true });
    state.endTrial();
    expect(state).toMatchObject({ phase: 'half-open', ejection: EJECTION, isTrialInFlight: false });
    state.activate();
    expect(state).toMatchObject({ phase: 'active', isActive: true, ejection: undefined });
  });

  it('takes another trial call when one has not ended for ten seconds', () => {
    const state = new EjectionState();
    expect(state.takesTrial(0)).toBe(false);
    state.eject(EJECTION);
    expect(state.takesTrial(31_000)).toBe(false);
    state.halfOpen();
    expect(state.takesTrial(31_000)).toBe(true);
    state.beginTrial(31_000);
    expect(state.takesTrial(40_999)).toBe(false);
    expect(state.takesTrial(41_000)).toBe(true);
    state.beginTrial(41_000);
    expect(state.takesTrial(50_999)).toBe(false);
    state.endTrial();
    expect(state.takesTrial(50_999)).toBe(true);
  });

  it('ends the time of an ejection early, and keeps the rest of it', () => {
    const state = new EjectionState();
    state.expire(5_000);
    expect(state.isActive).toBe(true);
    state.eject(EJECTION);
    state.expire(5_000);
    expect(state).toMatchObject({ phase: 'ejected', ejection: { ...EJECTION, until: 5_000 } });
    state.halfOpen();
    state.beginTrial(31_000);
    state.expire(6_000);
    expect(state).toMatchObject({ phase: 'half-open', isTrialInFlight: true });
  });

  it('counts ejections, and one less for each interval without one', () => {
    const state = new EjectionState();
    state.incrementCount(1_000);
    state.incrementCount(2_000);
    state.decayCount(31_999, 30_000);
    expect(state.count).toBe(2);
    state.decayCount(32_000, 30_000);
    expect(state.count).toBe(1);
    state.decayCount(61_999, 30_000);
    expect(state.count).toBe(1);
    state.eject(EJECTION);
    state.decayCount(62_000, 30_000);
    expect(state.count).toBe(1);
    state.activate();
    state.decayCount(62_000, 30_000);
    state.decayCount(92_000, 30_000);
    expect(state.count).toBe(0);
    state.incrementCount(92_001);
    expect(state.count).toBe(1);
  });
});
