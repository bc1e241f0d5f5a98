import { beforeEach, describe, expect, it } from '@jest/globals';
import { RegistrationHistory } from './registration-history.js';

describe('RegistrationHistory', () => {
  let history: RegistrationHistory;
  beforeEach(() => {
    history = new RegistrationHistory();
  });

  it('begins with nothing', () => {
    expect(history.facts(false, 0)).toEqual({
      credentialsChanged: false,
      isOurs: false,
      afterOutage: false,
      isUnlisted: false,
      repairs: [],
      idHolder: undefined,
    });
    expect(history).toMatchObject({
      ...{ isOurs: false, justRegistered: false, maybeRegistered: false, deregisteredAt: -Infinity },
    });
  });

  it('has a registration that was sent until it certainly had no effect, or is gone', () => {
    const undo = history.registerSent();
    expect(history.maybeRegistered).toBe(true);
    undo();
    expect(history.maybeRegistered).toBe(false);
    history.deregistered(5);
    expect(history.deregisteredAt).toBe(-Infinity);
    history.registerSent();
    const undoSecond = history.registerSent();
    undoSecond();
    expect(history.maybeRegistered).toBe(true);
    history.deregistered(7);
    expect([history.maybeRegistered, history.deregisteredAt]).toEqual([false, 7]);
  });

  it('has just registered until the next step', () => {
    history.changed(true);
    expect(history.facts(true, 0)).toMatchObject({ isUnlisted: true, afterOutage: true });
    history.registered(false, 0);
    expect([history.isOurs, history.justRegistered, history.facts(false, 0).isUnlisted]).toEqual([
      true,
      true,
      false,
    ]);
    expect(history.recentRepairs(0)).toBe(0);
    history.stepDecided();
    expect([history.isOurs, history.justRegistered]).toEqual([true, false]);
  });

  it('counts the repairs of the last minute', () => {
    for (const now of [0, 1_000, 59_000]) history.registered(true, now);
    expect(history.recentRepairs(59_999)).toBe(3);
    expect(history.recentRepairs(60_000)).toBe(2);
    history.registered(true, 61_500);
    expect(history.facts(false, 0).repairs).toEqual([59_000, 61_500]);
  });

  it('compares the credentials with those that it was registered with', () => {
    history.registeredWith(3);
    expect(history.facts(false, 3).credentialsChanged).toBe(false);
    expect(history.facts(false, 4).credentialsChanged).toBe(true);
  });

  it('remembers the holder of the id until it has yielded', () => {
    history.idHolderProbed('reachable');
    expect(history.facts(false, 0).idHolder).toBe('reachable');
    history.yielded();
    expect(history.facts(false, 0).idHolder).toBeUndefined();
  });

  it('forgets all but what the registry may hold', () => {
    history.registerSent();
    history.registered(true, 0);
    history.changed(true);
    history.idHolderProbed('unreachable');
    history.reset();
    expect(history.facts(false, 0)).toMatchObject({
      ...{ isOurs: false, isUnlisted: false, repairs: [], idHolder: undefined },
    });
    expect([history.justRegistered, history.maybeRegistered]).toEqual([false, true]);
  });
});
