import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import { DiscoveryError } from '../errors/discovery-error.js';
import { DiscoveryEvents } from '../events/discovery-events.js';
import { RegistryReachability } from '../registry/registry-reachability.js';
import { RegistrationAnnouncer } from './registration-announcer.js';

const INSTANCE = { id: 'inventory-1', service: 'inventory', registry: 'Consul at 127.0.0.1' };
const IDENTITY = { id: 'inventory-1', service: 'inventory' };

describe('what is announced of a registration', () => {
  let clock: FakeClock;
  let announcer: RegistrationAnnouncer;
  let seen: unknown[];
  let reachability: RegistryReachability;
  let heard: string[];

  beforeEach(() => {
    clock = new FakeClock();
    heard = [];
    reachability = new RegistryReachability(clock, {
      onUnreachable: (reason) => heard.push(`unreachable: ${reason}`),
      onReachable: (afterMs) => heard.push(`reachable after ${afterMs} ms`),
    });
    const events = new DiscoveryEvents();
    seen = [];
    events.events$.subscribe(({ timestamp: _, sequence: __, ...event }) => seen.push(event));
    announcer = new RegistrationAnnouncer(INSTANCE, { events, clock, reachability });
  });

  const state = (): unknown => {
    const { state: now, reason, ...identity } = announcer.status$.value;
    expect(identity).toEqual(IDENTITY);
    return [now, reason];
  };
  const states = (): unknown[] => {
    const all: unknown[] = [];
    announcer.status$.subscribe(({ state: now, reason }) => all.push([now, reason]));
    return all;
  };

  it('is idle at first, and tells each state once', () => {
    const all = states();
    announcer.setState('pending', 'x');
    announcer.setState('pending', 'x');
    announcer.setState('pending', 'y');
    announcer.setState('registered');
    announcer.setState('registered');
    expect(all).toEqual([
      ['idle', undefined],
      ['pending', 'x'],
      ['pending', 'y'],
      ['registered', undefined],
    ]);
  });

  it('tells once why the app is not ready', () => {
    announcer.notReady('database is down');
    announcer.notReady('database is down');
    expect(seen).toEqual([{ type: 'registration.notReady', ...INSTANCE, reason: 'database is down' }]);
    expect(state()).toEqual(['pending', 'database is down']);
  });

  it('tells of a loss, and how long it took to restore it', async () => {
    announcer.registered(undefined);
    expect(seen).toEqual([{ type: 'registration.registered', ...INSTANCE }]);
    expect(state()).toEqual(['registered', undefined]);
    await clock.advance(1_000);
    announcer.lost('it was removed', undefined);
    expect(state()).toEqual(['pending', 'it was removed']);
    await clock.advance(500);
    announcer.lost('it was removed again', undefined);
    await clock.advance(500);
    announcer.registered('it was removed');
    expect(state()).toEqual(['registered', undefined]);
    await clock.advance(2_000);
    announcer.lost('once more', undefined);
    await clock.advance(50);
    announcer.registered('once more');
    expect(seen.slice(1)).toEqual([
      { type: 'registration.lost', ...INSTANCE, reason: 'it was removed', isContested: false },
      { type: 'registration.lost', ...INSTANCE, reason: 'it was removed again', isContested: false },
      {
        type: 'registration.restored',
        ...INSTANCE,
        reason: 'it was removed',
        afterMs: 1_000,
        isContested: false,
      },
      { type: 'registration.lost', ...INSTANCE, reason: 'once more', isContested: false },
      { type: 'registration.restored', ...INSTANCE, reason: 'once more', afterMs: 50, isContested: false },
    ]);
  });

  it('takes no time for a restoration of which it told no loss', async () => {
    await clock.advance(7_000);
    announcer.registered('it changed');
    expect(seen).toEqual([
      { type: 'registration.restored', ...INSTANCE, reason: 'it changed', afterMs: 0, isContested: false },
    ]);
  });

  it('tells once that another client keeps undoing it, and again after it had stopped', () => {
    const contested = { type: 'registration.contested', ...INSTANCE, reason: 'gone' };
    const lost = { type: 'registration.lost', ...INSTANCE, reason: 'gone' };
    announcer.lost('gone', 6);
    announcer.lost('gone', 7);
    announcer.registered('gone');
    announcer.lost('gone', undefined);
    announcer.lost('gone', 8);
    expect(seen).toEqual([
      { ...lost, isContested: true },
      { ...contested, repairs: 6 },
      { ...lost, isContested: true },
      { type: 'registration.restored', ...INSTANCE, reason: 'gone', afterMs: 0, isContested: true },
      { ...lost, isContested: false },
      { ...lost, isContested: true },
      { ...contested, repairs: 8 },
    ]);
  });

  it('tells that it was sent again with another token, and once of a conflict', () => {
    announcer.refreshed();
    announcer.conflict('another instance has the id');
    announcer.conflict('another instance has the id');
    expect(seen).toEqual([
      { type: 'registration.refreshed', ...INSTANCE },
      { type: 'registration.conflict', ...INSTANCE, reason: 'another instance has the id' },
    ]);
    expect(state()).toEqual(['pending', 'another instance has the id']);
  });

  it('tells of the first failure, and whether the registry is away', async () => {
    const away = new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'nothing listens', {});
    announcer.failed(away, true, true);
    expect(state()).toEqual(['unconfirmed', 'nothing listens']);
    announcer.failed(away, false, false);
    expect(state()).toEqual(['pending', 'nothing listens']);
    await clock.advance(300);
    expect(announcer.reachable()).toBe(true);
    expect(announcer.reachable()).toBe(false);
    announcer.failed(new DiscoveryError('RK_ACL_DENIED', 'no right', {}), true, false);
    const failed = { type: 'registration.failed', ...INSTANCE };
    expect(seen).toEqual([
      { ...failed, reason: 'nothing listens', isRetryable: true },
      { ...failed, reason: 'no right', isRetryable: false },
    ]);
    expect(heard).toEqual(['unreachable: nothing listens', 'reachable after 300 ms']);
  });

  it.each([
    ['it is deregistered', () => announcer.setState('deregistered')],
    ['it could not be deregistered', () => announcer.deregistrationFailed(new Error('away'), true)],
  ])('no longer counts for the reachability of the registry once %s', async (_name, leave) => {
    announcer.failed(new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'away', {}), true, true);
    leave();
    await clock.advance(10);
    const other = {};
    reachability.unreachable(other, 'away');
    reachability.reachable(other);
    expect(heard).toEqual(['unreachable: away', 'reachable after 10 ms']);
  });

  it('tells that heartbeats do not arrive while it is registered, and that they do again', () => {
    announcer.stalled(4_000);
    announcer.heartbeat(undefined);
    announcer.heartbeat(new Error('while it is not registered'));
    announcer.registered(undefined);
    announcer.heartbeat(undefined);
    announcer.heartbeat(new Error('no response'));
    expect(state()).toEqual(['unconfirmed', 'heartbeats do not arrive: no response']);
    announcer.heartbeat(undefined);
    announcer.heartbeat(undefined);
    expect(state()).toEqual(['registered', undefined]);
    expect(seen).toEqual([
      { type: 'heartbeat.stalled', ...INSTANCE, lagMs: 4_000 },
      { type: 'registration.registered', ...INSTANCE },
      { type: 'heartbeat.failed', ...INSTANCE, reason: 'heartbeats do not arrive: no response' },
      { type: 'heartbeat.recovered', ...INSTANCE },
    ]);
  });

  it('leaves another state as it is when heartbeats arrive again', () => {
    announcer.registered(undefined);
    announcer.heartbeat(new Error('no response'));
    announcer.lost('it was removed', undefined);
    announcer.heartbeat(undefined);
    expect(state()).toEqual(['pending', 'it was removed']);
  });

  it('keeps the reason of a failing check over other states, until it recovers', () => {
    announcer.registered(undefined);
    announcer.checkFailing('HTTP 404');
    expect(state()).toEqual(['registered', 'its check fails: HTTP 404']);
    announcer.setState('unconfirmed', 'away');
    announcer.setState('registered');
    expect(state()).toEqual(['registered', 'its check fails: HTTP 404']);
    announcer.checkRecovered();
    expect(state()).toEqual(['registered', undefined]);
    announcer.checkFailing('');
    expect(state()).toEqual(['registered', 'its check fails, without any output']);
    announcer.setState('unconfirmed', 'away');
    announcer.checkRecovered();
    expect(state()).toEqual(['unconfirmed', 'away']);
    announcer.setState('registered');
    expect(state()).toEqual(['registered', undefined]);
    expect(seen.slice(1)).toEqual([
      {
        type: 'check.failed',
        ...INSTANCE,
        reason: 'HTTP 404',
        cause: expect.stringContaining('nothing answers at that path'),
      },
      { type: 'check.recovered', ...INSTANCE },
      {
        type: 'check.failed',
        ...INSTANCE,
        reason: '',
        cause: expect.stringContaining("from the registry's host"),
      },
      { type: 'check.recovered', ...INSTANCE },
    ]);
  });

  it.each([
    ['it is deregistered', () => announcer.setState('deregistered')],
    ['it could not be', () => announcer.deregistrationFailed(new Error('away'), true)],
  ])('forgets a failing check when %s', (_name, leave) => {
    announcer.registered(undefined);
    announcer.checkFailing('HTTP 404');
    leave();
    announcer.setState('registered');
    expect(state()).toEqual(['registered', undefined]);
  });

  it('tells of the deregistration, and of its failure', () => {
    announcer.deregistered();
    announcer.deregistrationFailed(new Error('away'), true);
    expect(state()).toEqual(['unconfirmed', 'deregistration failed: away']);
    announcer.deregistrationFailed(new Error('away'), false);
    expect(state()).toEqual(['deregistered', undefined]);
    const failed = { type: 'registration.deregistrationFailed', ...INSTANCE, reason: 'away' };
    expect(seen).toEqual([
      { type: 'registration.deregistered', ...INSTANCE },
      { ...failed, wasRegistered: true },
      { ...failed, wasRegistered: false },
    ]);
  });
});
