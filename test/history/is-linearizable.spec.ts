import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { seededRandom } from '@rookery/test-support';
import { isLinearizable } from './is-linearizable.js';
import { applied, type Operation } from './operation.js';

type Action = Operation['action'];
const read = (value?: string): Action => ({ type: 'read', value });
const write = (value: string): Action => ({ type: 'write', value });
const cas = (from: string | undefined, to: string, done?: boolean): Action => ({
  type: 'compareAndSet',
  from,
  to,
  done,
});
const at = (call: number, end: number, action: Action, client = 'a'): Operation => ({
  client,
  call,
  end,
  action,
});

describe('isLinearizable', () => {
  it.each([
    ['an empty history', []],
    [
      'one after the other',
      [at(0, 1, write('1')), at(2, 3, read('1')), at(4, 5, cas('1', '2', true)), at(6, 7, read('2'))],
    ],
    [
      'a read that overlaps a write sees either value',
      [at(0, 9, write('1')), at(1, 2, read()), at(3, 4, read('1'))],
    ],
    [
      'a compare-and-set that fails',
      [at(0, 1, write('1')), at(2, 3, cas('0', '2', false)), at(4, 5, read('1'))],
    ],
    [
      'of two at the same time one wins',
      [at(0, 9, cas(undefined, '1', true)), at(0, 9, cas(undefined, '2', false)), at(10, 11, read('1'))],
    ],
    [
      'without a response, it took effect',
      [at(0, Infinity, write('1')), at(5, 6, read()), at(7, 8, read('1'))],
    ],
    ['without a response, it did not', [at(0, Infinity, write('1')), at(5, 6, read()), at(7, 8, read())]],
    [
      'without a response, and overwritten',
      [at(0, Infinity, cas(undefined, '1')), at(5, 6, write('2')), at(7, 8, read('2'))],
    ],
  ])('accepts %s', (_name, history) => {
    expect(isLinearizable(history, undefined)).toMatchObject({ isLinearizable: true, stuckAt: [] });
  });

  it.each([
    ['a stale read', [at(0, 1, write('1')), at(2, 3, write('2')), at(4, 5, read('1'))]],
    ['a value that goes back', [at(0, 9, write('1')), at(1, 2, read('1')), at(3, 4, read())]],
    ['two winners of one value', [at(0, 9, cas(undefined, '1', true)), at(0, 9, cas(undefined, '2', true))]],
    [
      'a lost update',
      [
        at(0, 1, write('1')),
        at(2, 5, cas('1', '2', true)),
        at(3, 6, cas('1', '3', true)),
        at(7, 8, read('3')),
      ],
    ],
    ['a failure for no reason', [at(0, 1, write('1')), at(2, 3, cas('1', '2', false))]],
    ['a value from nowhere', [at(0, 1, read('7'))]],
    ['an effect without a response, before its call', [at(0, 1, read('1')), at(2, Infinity, write('1'))]],
  ])('finds %s', (_name, history) => {
    const verdict = isLinearizable(history, undefined);
    expect(verdict.isLinearizable).toBe(false);
    expect(verdict.stuckAt.length).toBeGreaterThan(0);
  });

  /** A history that a real register would give: each operation takes effect at a point between its call and its response. */
  const simulated = (seed: number, count: number): Operation[] => {
    const random = seededRandom(seed);
    let value: string | undefined;
    const history: Operation[] = [];
    const points = Array.from({ length: count }, (_, index) => index * 10 + 5 * random());
    points.forEach((point, index) => {
      const [call, end] = [point - 40 * random(), random() < 0.05 ? Infinity : point + 40 * random()];
      const kind = random();
      const known = random() < 0.7 ? value : `v${Math.floor(index * random())}`;
      let action: Action = read(value);
      if (kind < 0.2) action = write(`v${index}`);
      else if (kind < 0.7)
        action = cas(known, `v${index}`, Number.isFinite(end) ? known === value : undefined);
      const operation = at(call, end, action, `c${index % 5}`);
      const tookEffect = Number.isFinite(end) || random() < 0.5;
      if (tookEffect) value = applied(value, operation)?.value ?? value;
      history.push(operation);
    });
    return history;
  };

  it('accepts what a register has done, however much the operations overlap', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
        expect(isLinearizable(simulated(seed, 120), undefined).isLinearizable).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('finds a violation that is planted in a long history', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
        const history = simulated(seed, 300);
        const reads = history.filter(({ action, end }) => action.type === 'read' && Number.isFinite(end));
        const victim = reads[Math.floor(reads.length / 2)];
        if (!victim) return;
        // The register had this value long before, and another one in between.
        const planted = history.map((operation) =>
          operation === victim ? { ...operation, action: read('never written') } : operation,
        );
        expect(isLinearizable(planted, undefined).isLinearizable).toBe(false);
      }),
      { numRuns: 30 },
    );
  });
});
