import { describe, expect, it } from '@jest/globals';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import type { Target } from '../load-balancer.js';
import { createBalancer, STRATEGY_NAMES, type StrategyName } from './strategies.js';
import { TrackedTarget } from '../target/tracked-target.js';

/** Reproducible, and good enough for this. */
function seeded(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 2 ** 31;
  };
}

function target(n: number, weight = 1): TrackedTarget {
  const instance = new InMemoryRegistry().put({ service: 's', id: `i${n}`, port: 1_000 + n, weight });
  const state = new TrackedTarget(instance, -Infinity, 0);
  state.weight = weight;
  return state;
}

const evenly = (count: number): TrackedTarget[] => Array.from({ length: count }, (_, n) => target(n));

/** How often each is picked; `serve` sees each pick. */
function counts(
  name: StrategyName,
  targets: readonly TrackedTarget[],
  picks: number,
  serve: (picked: TrackedTarget, n: number) => void = () => undefined,
): number[] {
  const balancer = createBalancer(name, seeded());
  const seen = new Map<Target, number>(targets.map((each) => [each, 0]));
  for (let n = 0; n < picks; n++) {
    const picked = balancer.pick(targets, { attempt: 0, hashKey: `key ${n}` });
    if (!picked) throw new Error('it picked none');
    serve(picked as TrackedTarget, n);
    seen.set(picked, (seen.get(picked) ?? 0) + 1);
  }
  expect(seen.size).toBe(targets.length);
  return [...seen.values()];
}

function chiSquare(counted: readonly number[]): number {
  const expected = counted.reduce((sum, each) => sum + each, 0) / counted.length;
  return counted.reduce((sum, each) => sum + (each - expected) ** 2 / expected, 0);
}
/** For nine degrees of freedom, p = 0.01: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4. */
const CHI_SQUARE_9 = 21.666;

describe.each(STRATEGY_NAMES)('%s', (name) => {
  it('picks one of the given targets, be it one or a thousand', () => {
    for (const count of [1, 2, 3, 1_000]) {
      const targets = evenly(count);
      const balancer = createBalancer(name, seeded());
      for (let n = 0; n < 50; n++)
        expect(targets).toContain(balancer.pick(targets, { attempt: n % 3, hashKey: `k${n}` }));
    }
  });

  it('follows a changing list', () => {
    const balancer = createBalancer(name, seeded());
    const [first, second] = [evenly(5), evenly(3)];
    for (let n = 0; n < 20; n++) {
      expect(first).toContain(balancer.pick(first, { attempt: 0, hashKey: 'k' }));
      expect(second).toContain(balancer.pick(second, { attempt: 0, hashKey: 'k' }));
    }
  });

  it('gives no instance more than twice its share', () => {
    const shares = counts(name, evenly(10), 10_000, (picked) => {
      picked.begin();
      picked.end(0, 3, 'success');
    });
    expect(Math.max(...shares)).toBeLessThanOrEqual(2_000);
    expect(Math.min(...shares)).toBeGreaterThan(0);
  });
});

describe('the distribution', () => {
  it.each(['round-robin', 'weighted-round-robin'] as const)('F35 %s is exact', (name) => {
    expect(counts(name, evenly(10), 1_000)).toEqual(Array.from({ length: 10 }, () => 100));
  });

  it.each(['random', 'weighted-random', 'least-requests', 'p2c-ewma'] as const)(
    'F35 %s is even by chi-square',
    (name) => {
      expect(chiSquare(counts(name, evenly(10), 20_000))).toBeLessThan(CHI_SQUARE_9);
    },
  );

  it('begins at a random target: clients that start together do not call the same instance', () => {
    const targets = evenly(10);
    const first = new Set(
      Array.from({ length: 40 }, (_, seed) =>
        createBalancer('round-robin', seeded(seed * 7_919 + 1)).pick(targets, { attempt: 0 }),
      ),
    );
    expect(first.size).toBeGreaterThan(6);
  });

  it.each([
    ['weighted-round-robin', [5, 1, 1]],
    ['weighted-round-robin', [10, 3, 2, 0.5]],
    ['weighted-round-robin', Array.from({ length: 300 }, (_, n) => 1 + (n % 7) / 3)],
    ['weighted-random', [5, 1, 1]],
    ['weighted-random', [10, 3, 2, 0.5]],
    ['least-requests', [5, 1, 1]],
    ['p2c-ewma', [5, 3, 2]],
    ['consistent-hash', [5, 3, 2]],
    ['sticky', [5, 3, 2]],
  ] as const)('%s keeps weights to within 2 %%: %p', (name, weights) => {
    const targets = weights.map((weight, n) => target(n, weight));
    const picks = 200_000;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    counts(name, targets, picks).forEach((count, at) => {
      expect(Math.abs(count / picks - (weights[at] ?? 0) / total)).toBeLessThan(0.02);
    });
  });

  it('is smooth: a heavy target never comes in a burst', () => {
    const targets = [5, 1, 1].map((weight, n) => target(n, weight));
    const balancer = createBalancer('weighted-round-robin', () => 0.999);
    const picked = Array.from({ length: 14 }, () => balancer.pick(targets, { attempt: 0 })?.instance.id);
    expect(picked.slice(0, 7)).toEqual(picked.slice(7));
    expect(picked.join('')).not.toMatch(/(i0){4}/);
    expect(picked.filter((id) => id === 'i0')).toHaveLength(10);
  });
});

describe('p2c-ewma', () => {
  const slow = (picked: TrackedTarget): void => {
    picked.begin();
    picked.end(0, picked.instance.id === 'i0' ? 100 : 3, 'success');
  };

  it('moves load away from a slow instance', () => {
    expect(counts('p2c-ewma', evenly(3), 3_000, slow)[0]).toBeLessThanOrEqual(1);
    expect(counts('round-robin', evenly(3), 3_000, slow)[0]).toBe(1_000);
  });

  it('F33 is not attracted by an instance that fails fast', () => {
    const failing = (picked: TrackedTarget): void => {
      picked.begin();
      const hasFailed = picked.instance.id === 'i0';
      picked.end(0, hasFailed ? 0.1 : 3, hasFailed ? 'failure' : 'success');
    };
    expect(counts('p2c-ewma', evenly(3), 3_000, failing)[0]).toBeLessThanOrEqual(1);
  });

  it('sends an unknown instance one call, and the next only after the first was answered', () => {
    const targets = evenly(3);
    for (const each of targets.slice(1)) {
      each.begin();
      each.end(0, 3, 'success');
    }
    const newcomer = targets[0];
    const shares = counts('p2c-ewma', targets, 1_000, (picked) => {
      if (picked === newcomer) picked.begin();
    });
    expect(shares[0]).toBe(1);
  });

  it('accounts for outstanding calls', () => {
    const targets = evenly(2);
    for (const each of targets) {
      each.begin();
      each.end(0, 3, 'success');
    }
    for (let n = 0; n < 5; n++) targets[0]?.begin();
    expect(counts('p2c-ewma', targets, 100)).toEqual([0, 100]);
    expect(counts('least-requests', targets, 100)).toEqual([0, 100]);
  });
});

describe('consistent-hash', () => {
  const byKey = (targets: readonly TrackedTarget[], keys = 5_000): Map<string, string> => {
    const balancer = createBalancer('consistent-hash', Math.random);
    return new Map(
      Array.from({ length: keys }, (_, n) => [
        `user-${n}`,
        balancer.pick(targets, { attempt: 0, hashKey: `user-${n}` })?.instance.id ?? '',
      ]),
    );
  };

  it('is the same on every client, in whatever order it lists the targets', () => {
    expect(byKey([...evenly(7)].reverse())).toEqual(byKey(evenly(7)));
  });

  it('moves few keys except those of the removed target', () => {
    const before = byKey(evenly(10));
    const after = byKey(evenly(10).filter((_, n) => n !== 4));
    const moved = [...before].filter(([key, id]) => id !== 'i4' && after.get(key) !== id);
    expect(moved.length / before.size).toBeLessThan(0.05);
  });

  it('bounds a busy target at 1.25 times the average, and gives the rest to one other', () => {
    const targets = evenly(4);
    const balancer = createBalancer('consistent-hash', Math.random);
    const hot = new Map<string, number>();
    for (let n = 0; n < 100; n++) {
      const picked = balancer.pick(targets, { attempt: 0, hashKey: 'hot' }) as TrackedTarget;
      picked.begin();
      hot.set(picked.instance.id, (hot.get(picked.instance.id) ?? 0) + 1);
    }
    expect(Math.max(...hot.values())).toBeLessThanOrEqual(Math.ceil(1.25 * 26));
  });

  it('sends the next attempt to another target, always the same one', () => {
    const targets = evenly(5);
    const balancer = createBalancer('consistent-hash', Math.random);
    const [first, second, again] = [0, 1, 1].map((attempt) =>
      balancer.pick(targets, { attempt, hashKey: 'k' }),
    );
    expect(second).not.toBe(first);
    expect(again).toBe(second);
  });
});

describe('sticky', () => {
  it('stays with its target, whatever is added, until that is removed', () => {
    const balancer = createBalancer('sticky', seeded());
    const targets = evenly(5);
    const mine = balancer.pick(targets, { attempt: 0, hashKey: 'k' });
    const more = [...targets, target(9)];
    for (let n = 0; n < 20; n++) expect(balancer.pick(more, { attempt: 0, hashKey: 'k' })).toBe(mine);
    const fewer = more.filter((each) => each !== mine);
    const next = balancer.pick(fewer, { attempt: 0, hashKey: 'k' });
    for (let n = 0; n < 20; n++) expect(balancer.pick(fewer, { attempt: 0, hashKey: 'k' })).toBe(next);
  });

  it('is one instance for the whole client without a key', () => {
    const balancer = createBalancer('sticky', seeded());
    const targets = evenly(5);
    const picked = new Set(Array.from({ length: 50 }, () => balancer.pick(targets, { attempt: 0 })));
    expect(picked.size).toBe(1);
  });

  it('remembers the 10,000 most recent keys', () => {
    const balancer = createBalancer('sticky', seeded());
    const targets = evenly(50);
    const of = (from: number): unknown[] =>
      Array.from({ length: 100 }, (_, n) => balancer.pick(targets, { attempt: 0, hashKey: `k${from + n}` }));
    const early = of(0);
    for (let n = 0; n < 10_000; n++) balancer.pick(targets, { attempt: 0, hashKey: `k${n + 1_000}` });
    const late = of(10_900);
    expect(of(10_900)).toEqual(late);
    // A new draw out of fifty: nearly all of them change.
    const again = of(0);
    expect(again.filter((each, at) => each === early[at]).length).toBeLessThan(20);
  });
});
