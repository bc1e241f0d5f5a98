import { describe, expect, it } from '@jest/globals';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { TrackedTarget } from './tracked-target.js';

const create = (): TrackedTarget =>
  new TrackedTarget(new InMemoryRegistry().put({ service: 's', id: 'i', port: 1 }), 7, 42);

describe('TrackedTarget', () => {
  it('is unknown at first', () => {
    expect(create()).toMatchObject({
      ...{ weight: 1, inFlight: 0, isListed: true, backOffUntil: -Infinity, joinedAt: 7, score: 42 },
      ...{ latencyMs: 0, hasSucceeded: false, successRate: 1 },
    });
  });

  it('counts what is in flight', () => {
    const target = create();
    target.begin();
    target.begin();
    expect(target.inFlight).toBe(2);
    expect(target.end(0, 5, 'success')).toBe('success');
    expect(target).toMatchObject({ inFlight: 1, hasSucceeded: true, latencyMs: 5 });
  });

  it('takes a failure for a call of a second, or of its own time', () => {
    const target = create();
    expect(target.end(0, 5, 'failure', true)).toBe('failure');
    expect(target).toMatchObject({ latencyMs: 1_000, hasSucceeded: false });
    expect(target.history).toMatchObject({ consecutiveFailures: 1, consecutiveRefusals: 1 });
    target.end(0, 4_000, 'failure');
    expect(target.latencyMs).toBe(4_000);
    expect(target.history.consecutiveRefusals).toBe(1);
  });

  it('makes an error of the server as expensive as such errors are frequent', () => {
    const target = create();
    expect(target.end(0, 5, 'server-error')).toBe('server-error');
    expect(target.latencyMs).toBeCloseTo(5 + 1_000 * 0.05, 6);
    expect(target.history).toMatchObject({ failures: 1, consecutiveFailures: 0 });
  });

  it('learns at least how long a call took that does not count', () => {
    const target = create();
    expect(target.end(3, 80, 'ignored')).toBe('ignored');
    expect(target).toMatchObject({ latencyMs: 80, history: { calls: 0 } });
  });

  it('counts the third call in a row that was abandoned late as a failure, and each after it', () => {
    const target = create();
    target.end(0, 100, 'success');
    const abandon = (elapsedMs: number): string => target.end(0, elapsedMs, 'abandoned');
    // Earlier than half of what calls take.
    expect([abandon(49), abandon(49), abandon(49), abandon(49)]).toEqual(Array(4).fill('abandoned'));
    expect([abandon(50), abandon(50), abandon(50), abandon(50)]).toEqual([
      ...['abandoned', 'abandoned', 'failure', 'failure'],
    ]);
    expect(target.history.consecutiveFailures).toBe(2);
    const other = create();
    other.end(0, 300, 'abandoned');
    expect(other.latencyMs).toBe(300);
  });
});
