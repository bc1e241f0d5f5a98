import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '@rookery/test-support';
import fc from 'fast-check';
import { NO_CHANGES } from '../catalog/diff-lists.js';
import { createSnapshot } from '../catalog/service-snapshot.js';
import { freezeInstance, type InstanceStatus } from '../registry/service-instance.js';
import { OUTLIER_DEFAULTS, maxEjected } from './outliers/outlier-rules.js';
import { STRATEGY_NAMES, type StrategyName } from './strategies/strategies.js';
import { TargetPool } from './target-pool.js';
import type { CallOutcome, TrackedTarget } from './target/tracked-target.js';

const SEED = Number(process.env.ROOKERY_SEED ?? 20_251_121);

type Listed = readonly { id: number; status: InstanceStatus; weight: number; zone: string; port: number }[];
type Step =
  | { kind: 'list'; listed: Listed }
  | {
      kind: 'call';
      strategy: StrategyName;
      outcome: CallOutcome;
      isRefusal: boolean;
      ms: number;
      hash: number;
      wait: boolean;
    }
  | { kind: 'answer' }
  | { kind: 'pass'; ms: number };

const listed = fc.uniqueArray(
  fc.record({
    id: fc.nat(14),
    status: fc.constantFrom<InstanceStatus>(
      'passing',
      'passing',
      'passing',
      'warning',
      'critical',
      'maintenance',
    ),
    weight: fc.constantFrom(1, 1, 1, 0, 10, 0.5),
    zone: fc.constantFrom('a', 'b', 'c'),
    port: fc.constantFrom(1, 1, 1, 2),
  }),
  { selector: ({ id }) => id, maxLength: 15 },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('list' as const), listed }) },
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('call' as const),
      strategy: fc.constantFrom(...STRATEGY_NAMES),
      outcome: fc.constantFrom<CallOutcome>('success', 'failure', 'failure', 'ignored'),
      isRefusal: fc.boolean(),
      ms: fc.double({ min: 0, max: 1e9, noNaN: true }),
      hash: fc.nat(20),
      wait: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ kind: 'answer' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(60_000) }) },
);

describe('TargetPool, whatever happens', () => {
  it('picks only listed and usable targets, ejects no more than the limit, leaves at least one, and counts within bounds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 30, maxLength: 150 }),
        fc.boolean(),
        async (steps, hasZone) => {
          const clock = new FakeClock();
          const pool = new TargetPool('s', undefined, {
            clock,
            random: Math.random,
            outlierRules: OUTLIER_DEFAULTS,
            slowStart: true,
            zone: hasZone ? 'a' : undefined,
            callers: () => undefined,
            probe: async () => 'reachable',
            emit: () => undefined,
            onUnused: () => undefined,
          });
          const play = new Play(clock, pool);
          for (const each of steps) {
            await play.step(each);
            check(pool);
          }
          play.end();
          expect(pool.usable.map(({ inFlight }) => inFlight)).toEqual(pool.usable.map(() => 0));
          pool.close();
          expect(clock.pending).toBe(0);
        },
      ),
      { seed: SEED, numRuns: 150 },
    );
  }, 120_000);
});

class Play {
  readonly #waiting: { target: TrackedTarget; of: Extract<Step, { kind: 'call' }> }[] = [];

  constructor(
    readonly clock: FakeClock,
    readonly pool: TargetPool,
  ) {}

  async step(step: Step): Promise<void> {
    if (step.kind === 'list') this.pool.update(snapshotOf(step.listed));
    else if (step.kind === 'pass') await this.clock.advance(step.ms);
    else if (step.kind === 'answer') this.#report(this.#waiting.shift());
    else this.#call(step);
  }

  end(): void {
    while (this.#waiting.length > 0) this.#report(this.#waiting.shift());
  }

  #call(of: Extract<Step, { kind: 'call' }>): void {
    const tried = new Set(this.#waiting.slice(0, 2).map(({ target }) => target));
    const target = this.pool.pick(of.strategy, {
      attempt: 0,
      hashKey: `k${of.hash}`,
      tried,
      mayTry: 'yes',
    });
    if (!target) {
      // Only if the call has tried all of them.
      if (this.pool.usable.some((each) => !tried.has(each))) throw new Error('a target could be picked');
      return;
    }
    if (!this.pool.usable.includes(target) || !target.isListed) throw new Error('one that is not there');
    if (tried.has(target)) throw new Error('one that was tried');
    this.pool.begin(target);
    this.#waiting.push({ target, of });
    if (!of.wait) this.#report(this.#waiting.pop());
  }

  #report(ended: { target: TrackedTarget; of: Extract<Step, { kind: 'call' }> } | undefined): void {
    if (!ended) return;
    const { ms, outcome, isRefusal } = ended.of;
    this.pool.report(ended.target, ms, outcome, { reason: 'it', isRefusal });
  }
}

function check(pool: TargetPool): void {
  const out = pool.usable.filter(({ ejection }) => !ejection.isActive).length;
  expect(out).toBeLessThanOrEqual(maxEjected(pool.usable.length));
  expect(pool.active.length > 0).toBe(pool.usable.length > 0);
  for (const target of pool.active) {
    expect(pool.usable).toContain(target);
    expect(target.weight).toBeGreaterThan(0);
  }
  for (const { inFlight, latencyMs, successRate } of pool.usable) {
    expect(inFlight).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(latencyMs) && latencyMs >= 0).toBe(true);
    expect(successRate >= 0 && successRate <= 1).toBe(true);
  }
}

function snapshotOf(entries: Listed) {
  return createSnapshot({
    service: 's',
    instances: entries.map(({ id, status, weight, zone, port }) =>
      freezeInstance({
        id: `i${id}`,
        service: 's',
        address: '10.0.0.1',
        port,
        secure: false,
        tags: [],
        meta: {},
        status,
        weight,
        zone,
        node: 'n',
        datacenter: 'dc1',
      }),
    ),
    suspects: [],
    unreachable: [],
    changes: NO_CHANGES,
    version: 1,
    source: 'live',
    receivedAt: 0,
    ageMs: () => 0,
  });
}
