import { describe, expect, it } from '@jest/globals';
import { Subject } from 'rxjs';
import type { TimedDiscoveryEvent } from '../events/discovery-event.js';
import { AppObserver, type ObserverSources } from './app-observer.js';

describe('AppObserver', () => {
  it('knows that a permit is held for too long, whatever becomes of another one of the same semaphore', () => {
    const events$ = new Subject<TimedDiscoveryEvent>();
    const observer = new AppObserver({
      events: { history: [], events$ },
      catalog: { states: [], widestViews: [] },
      caller: { services: [], find: () => undefined },
      registration: { instance: {}, status: { instances: [] } },
      now: () => 10_000,
    } as unknown as ObserverSources);
    const emit = (event: object): void =>
      events$.next({ key: 'exports', heldMs: 1_000, timestamp: 5_000, ...event } as TimedDiscoveryEvent);
    const overdue = (): unknown => [...observer.observe().overdueLocks];
    emit({ type: 'lock.overdue', fence: 1, waiters: 0 });
    emit({ type: 'lock.overdue', fence: 2, waiters: 0, heldMs: 3_000 });
    emit({ type: 'lock.overdue', fence: 1, waiters: 0, key: 'other' });
    expect(overdue()).toEqual([
      ['exports', 2_000],
      ['other', 4_000],
    ]);
    emit({ type: 'lock.released', fence: 2 });
    emit({ type: 'lock.lost', fence: 1, key: 'other', reason: 'gone' });
    emit({ type: 'lock.released', fence: 3 });
    expect(overdue()).toEqual([['exports', 4_000]]);
    emit({ type: 'lock.released', fence: 1 });
    expect(overdue()).toEqual([]);
    observer.close();
  });
});
