import { describe, expect, it } from '@jest/globals';
import { InMemoryRegistry } from '../../testing/in-memory.registry.js';
import { LoadBalancer, type Target } from '../load-balancer.js';
import {
  createBalancer,
  isStrategy,
  needsProbes,
  needsReports,
  needsWholeService,
  STRATEGY_NAMES,
  type StrategyName,
} from './strategies.js';
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

  it('passes a key on when its target has more than the average allows, and to the least busy when all have', () => {
    const targets = evenly(4);
    const balancer = createBalancer('consistent-hash', Math.random);
    const pick = (): Target | undefined => balancer.pick(targets, { attempt: 0, hashKey: 'hot' });
    const own = pick() as TrackedTarget;
    const set = (mine: number, others: number): void => {
      for (const each of targets) each.inFlight = each === own ? mine : others;
    };
    set(1, 0);
    expect(pick()).toBe(own);
    // 1.25 x (2 / 4 + 1), rounded up, is 2.
    set(2, 0);
    expect(pick()).not.toBe(own);
    // 1.25 x ((6 + 3 x 3) / 4 + 1) is 5.9.
    set(5, 3);
    expect(pick()).toBe(own);
    set(6, 3);
    expect(pick()).not.toBe(own);
    // 1.25 x ((111 + 3 x 80) / 4 + 1) is 110.9.
    set(110, 80);
    expect(pick()).toBe(own);
    set(111, 80);
    expect(pick()).not.toBe(own);
  });

  it('estimates the average of a large service by sixteen targets, evenly spaced', () => {
    const targets = evenly(64);
    const balancer = createBalancer('consistent-hash', Math.random);
    const pick = (): Target | undefined => balancer.pick(targets, { attempt: 0, hashKey: 'k' });
    const own = pick() as TrackedTarget;
    const isSample = (at: number): boolean => at % 4 === 0;
    const mine = targets.indexOf(own);
    for (const [at, each] of targets.entries()) each.inFlight = isSample(at) ? 40 : 0;
    own.inFlight = 48;
    const bound = Math.ceil(1.25 * ((15 * 40 + (isSample(mine) ? 48 : 40)) / 16 + 1));
    own.inFlight = bound - 1;
    expect(pick()).toBe(own);
    own.inFlight = bound + 1;
    expect(pick()).not.toBe(own);
  });

  it('has keys in proportion to the registered weights, whatever they are during slow start', () => {
    const targets = [target(0, 3), target(1, 1), target(2, 0)];
    const balancer = createBalancer('consistent-hash', Math.random);
    const picks = (): string[] =>
      Array.from(
        { length: 4_000 },
        (_, n) => balancer.pick([...targets], { attempt: 0, hashKey: `k${n}` })?.instance.id ?? '',
      );
    const before = picks();
    const share = (id: string): number => before.filter((each) => each === id).length / before.length;
    expect(share('i0')).toBeCloseTo(3 / 5, 1);
    // Weight 0, where all that is left has it, counts as 1.
    expect(share('i2')).toBeCloseTo(share('i1'), 1);
    for (const each of targets) each.weight = 0.1;
    expect(picks()).toEqual(before);
  });

  it('takes any target for a call without a key', () => {
    const targets = evenly(5);
    const balancer = createBalancer('consistent-hash', seeded());
    const seen = new Set(Array.from({ length: 100 }, () => balancer.pick(targets, { attempt: 0 })));
    expect(seen.size).toBe(5);
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

  it('leaves a key where it is after a retry elsewhere, and keeps one that is new', () => {
    const balancer = createBalancer('sticky', seeded());
    const targets = evenly(50);
    const pick = (attempt: number, hashKey: string): Target | undefined =>
      balancer.pick(targets, { attempt, hashKey });
    const mine = pick(0, 'k');
    const retried = new Set(Array.from({ length: 10 }, () => pick(1, 'k')));
    expect(retried.size).toBeGreaterThan(1);
    expect(pick(0, 'k')).toBe(mine);
    const first = pick(1, 'new');
    expect(pick(0, 'new')).toBe(first);
  });

  it('keeps the keys that are used rather than those that came last', () => {
    const balancer = createBalancer('sticky', seeded());
    const targets = evenly(50);
    const of = (from: number): unknown[] =>
      Array.from({ length: 50 }, (_, n) => balancer.pick(targets, { attempt: 0, hashKey: `k${from + n}` }));
    const used = of(0);
    for (let n = 50; n < 9_000; n++) balancer.pick(targets, { attempt: 0, hashKey: `k${n}` });
    expect(of(0)).toEqual(used);
    for (let n = 9_000; n < 15_000; n++) balancer.pick(targets, { attempt: 0, hashKey: `k${n}` });
    expect(of(0)).toEqual(used);
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

describe('weighted-round-robin', () => {
  it('begins anywhere in its round, and goes on from its end', () => {
    const targets = [target(0, 2), target(1, 1)];
    const from = (random: number): string[] => {
      const balancer = createBalancer('weighted-round-robin', () => random);
      return Array.from({ length: 4 }, () => balancer.pick(targets, { attempt: 0 })?.instance.id ?? '');
    };
    const rounds = [0, 0.4, 0.7].map(from);
    expect(new Set(rounds.map(([first]) => first))).toEqual(new Set(['i0', 'i1']));
    for (const round of rounds) {
      expect(round.slice(0, 3).filter((id) => id === 'i0')).toHaveLength(2);
      expect(round[3]).toBe(round[0]);
    }
  });
});

describe('the load of p2c-ewma', () => {
  type Known = Partial<Pick<Target, 'latencyMs' | 'inFlight' | 'hasSucceeded'>>;
  /** The share of the second. */
  const better = (first: Known, second: Known): number => {
    const unknown = { latencyMs: 0, inFlight: 0, hasSucceeded: false };
    const { instance, reported } = target(0);
    const targets = [first, second].map((known) => ({
      ...{ instance, reported, weight: 1, successRate: 1 },
      ...unknown,
      ...known,
    }));
    const balancer = createBalancer('p2c-ewma', seeded());
    const picked = Array.from({ length: 1_000 }, () => balancer.pick(targets, { attempt: 0 }));
    return picked.filter((each) => each === targets[1]).length / 1_000;
  };
  const proven = { hasSucceeded: true };

  it('takes a difference of a fifth for noise', () => {
    expect(better({ ...proven, latencyMs: 119 }, { ...proven, latencyMs: 100 })).toBeCloseTo(0.5, 1);
    expect(better({ ...proven, latencyMs: 121 }, { ...proven, latencyMs: 100 })).toBe(1);
  });

  it('multiplies latency by the calls in flight and the one to come', () => {
    expect(better({ ...proven, latencyMs: 10, inFlight: 5 }, { ...proven, latencyMs: 49 })).toBe(1);
    expect(better({ ...proven, latencyMs: 10, inFlight: 5 }, { ...proven, latencyMs: 73 })).toBe(0);
  });

  it('gives one that never succeeded a call, and no second one before it is answered', () => {
    expect(better({ latencyMs: 0, inFlight: 1 }, { ...proven, latencyMs: 5_000, inFlight: 9 })).toBe(1);
    expect(better({ latencyMs: 3, inFlight: 1 }, { ...proven, latencyMs: 5_000, inFlight: 9 })).toBe(1);
    expect(better({ ...proven, latencyMs: 0, inFlight: 1 }, { ...proven, latencyMs: 5_000 })).toBe(1);
    expect(better({ latencyMs: 0 }, { ...proven, latencyMs: 5_000 })).toBe(0);
    expect(better({ latencyMs: 0, inFlight: 2 }, { latencyMs: 0, inFlight: 1 })).toBeCloseTo(0.5, 1);
  });
});

describe('strategies', () => {
  it('are known by their names, or are classes of balancers', () => {
    class Own extends LoadBalancer {
      override pick(targets: readonly Target[]): Target | undefined {
        return targets[0];
      }
    }
    expect([...STRATEGY_NAMES, Own].filter((each) => !isStrategy(each))).toEqual([]);
    expect(['toString', 'p2c', '', 7, undefined, null, {}, class {}, () => 0].filter(isStrategy)).toEqual([]);
    expect(createBalancer(Own, Math.random)).toBeInstanceOf(Own);
  });

  it('say what they need', () => {
    const having = (needs: (name: StrategyName) => boolean): StrategyName[] => STRATEGY_NAMES.filter(needs);
    expect(having(needsReports)).toEqual(['p2c-load', 'prequal']);
    expect(having(needsProbes)).toEqual(['prequal']);
    expect(having(needsWholeService)).toEqual(['consistent-hash', 'sticky']);
  });
});
