import { describe, expect, it } from '@jest/globals';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { TrackedTarget } from '../target/tracked-target.js';
import { effectiveWeight, splitTraffic, TRAFFIC_RANGE } from './split-traffic.js';

function target(n: number, zone?: string, weight = 1, joinedAt = -Infinity): TrackedTarget {
  const instance = new InMemoryRegistry().put({ service: 's', id: `i${n}`, port: 1_000 + n, zone, weight });
  const made = new TrackedTarget(instance, joinedAt, n);
  made.weight = weight;
  return made;
}
const inZones = (zones: readonly (string | undefined)[]): TrackedTarget[] =>
  zones.map((zone, n) => target(n, zone));
const shares = (
  targets: readonly TrackedTarget[],
  zone: string | undefined,
  callers?: ReadonlyMap<string, number>,
) =>
  splitTraffic(targets, { zone, callers }).map((group) => ({
    zone: group.zone,
    upTo: Number((group.upTo / TRAFFIC_RANGE).toFixed(4)),
    ids: group.targets.map(({ instance }) => instance.id).join(' '),
  }));

describe('effectiveWeight', () => {
  it('is a share of the weight while the instance is new, and all of it where there is no slow start', () => {
    const fresh = target(1, undefined, 4, 1_000);
    expect(effectiveWeight(fresh, 16_000, true)).toBe(2);
    expect(effectiveWeight(fresh, 16_000, false)).toBe(4);
  });

  it('is at most what Consul accepts', () => {
    expect(effectiveWeight(target(1, undefined, 1_000_000), 0, true)).toBe(65_535);
  });
});

describe('splitTraffic', () => {
  const six = inZones(['a', 'b', 'b', 'b', 'b', undefined]);

  it('is one group where the caller has no zone, or the service is small', () => {
    const all = { zone: undefined, upTo: 1 };
    expect(shares(six, undefined)).toEqual([{ ...all, ids: 'i0 i1 i2 i3 i4 i5' }]);
    expect(shares(six.slice(0, 5), 'a')).toEqual([{ ...all, ids: 'i0 i1 i2 i3 i4' }]);
  });

  it('sends to zones in ranges that follow each other, those without a zone among them', () => {
    // Of three zones a third of the callers each: a has a sixth of what is needed, b two thirds, the others a sixth.
    expect(shares(six, 'a')).toEqual([
      { zone: 'a', upTo: 0.5, ids: 'i0' },
      { zone: 'b', upTo: 1, ids: 'i1 i2 i3 i4' },
    ]);
    const unnamed = inZones(['a', undefined, undefined, undefined, undefined, undefined]);
    expect(shares(unnamed, 'a')).toEqual([
      { zone: 'a', upTo: 0.3333, ids: 'i0' },
      { zone: '', upTo: 1, ids: 'i1 i2 i3 i4 i5' },
    ]);
  });

  it('accounts for where the callers are', () => {
    expect(
      shares(
        six,
        'a',
        new Map([
          ['a', 1],
          ['b', 9],
        ]),
      ).map(({ zone }) => zone),
    ).toEqual(['a']);
  });
});
