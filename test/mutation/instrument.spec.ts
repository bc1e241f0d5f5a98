import { runInThisContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { instrument, type Mutant } from './instrument.js';

type Compiled = (...values: readonly unknown[]) => unknown;

/** The function `f` of a source: what it returns, and with each of its mutants. */
function run(
  source: string,
  ...values: readonly unknown[]
): { plain: unknown; mutants: Map<string, unknown> } {
  const { code, mutants } = instrument('source.ts', source, 1, './none.js');
  const body = code.replace(/^import .*$/m, '').replace(/^export /gm, '');
  const make = runInThisContext(`(__isActive) => {\n${body}\nreturn f;\n}`) as (
    isActive: (id: number) => boolean,
  ) => Compiled;
  const withMutant = ({ id }: Pick<Mutant, 'id'>): unknown => {
    try {
      return make((asked) => asked === id)(...values);
    } catch (error) {
      return error;
    }
  };
  return {
    plain: withMutant({ id: 0 }),
    mutants: new Map(
      mutants.map((mutant) => [`${mutant.original} -> ${mutant.replacement}`, withMutant(mutant)]),
    ),
  };
}

describe('mutants', () => {
  it('change comparisons and what is combined, one at a time', () => {
    const { plain, mutants } = run('export const f = (a: number, b: number) => a < b && a === 1;', 1, 1);
    expect(plain).toBe(false);
    expect(Object.fromEntries(mutants)).toEqual({
      'a < b && a === 1 -> a < b || a === 1': true,
      'a < b -> a <= b': true,
      'a < b -> a >= b': true,
      'a === 1 -> a !== 1': false,
      '1 -> 2': false,
    });
  });

  it('change conditions, literals, defaults and the ends of a range', () => {
    const source = 'export function f(a?: number) { if (a) return [Math.min(a, 7)]; return !a ?? 0; }';
    expect(Object.fromEntries(run(source, 9).mutants)).toEqual({
      'a -> true': [7],
      'a -> false': false,
      '[Math.min(a, 7)] -> []': [],
      'Math.min(a, 7) -> .max(…)': [9],
      '7 -> 70': [9],
      '!a ?? 0 -> !a': [7],
      '!a ?? 0 -> 0': [7],
      '!a -> a': [7],
      '0 -> 1': [7],
    });
  });

  it('leave out a property or a statement, also before an else', () => {
    const source = `export function f(a: boolean) {
      const seen: string[] = [];
      if (a) seen.push('then');
      else seen.push('else');
      return { seen, ...(a && { a }) };
    }`;
    const { plain, mutants } = run(source, true);
    expect(plain).toEqual({ seen: ['then'], a: true });
    expect(mutants.get("seen.push('then'); -> (removed)")).toEqual({ seen: [], a: true });
    expect(mutants.get("seen.push('else'); -> (removed)")).toEqual(plain);
    expect(mutants.get('seen -> (removed)')).toEqual({ a: true });
    expect(mutants.get('...(a && { a }) -> (removed)')).toEqual({ seen: ['then'] });
    expect(run(source, false).plain).toEqual({ seen: ['else'] });
  });

  it('let types, decorators, imports and targets of assignments be', () => {
    const source = `import type { A } from './a.js';
      export function f() {
        let a: 1 | 2 | true = 2, b: unknown;
        [a, { b }] = [1, { b: 3 }] as [1, { b: 3 }];
        return { [a]: b };
      }`;
    const { plain, mutants } = run(source);
    expect(plain).toEqual({ 1: 3 });
    expect([...mutants.keys()]).toEqual([
      '2 -> 20',
      '1 -> 2',
      '3 -> 30',
      'b: 3 -> (removed)',
      '[1, { b: 3 }] -> []',
      '[a, { b }] = [1, { b: 3 }] as [1, { b: 3 }]; -> (removed)',
      '[a]: b -> (removed)',
    ]);
  });

  it('change no call of a method that every object has', () => {
    const { plain, mutants } = run('export const f = (a: number) => a.toString();', 7);
    expect(plain).toBe('7');
    expect([...mutants.keys()]).toEqual([]);
  });

  it('leave alone what is there for an index only because the compiler asks for it', () => {
    const { mutants } = run('export const f = (all: number[], at: number) => all[at + 1] ?? 0;', [1, 2], 0);
    expect([...mutants.keys()]).toEqual(['1 -> 2', 'at + 1 -> at - 1']);
    const { mutants: others } = run(
      'export const f = (all: Map<string, number>) => all.get("a") ?? 0;',
      new Map(),
    );
    expect([...others.keys()]).toContain('all.get("a") ?? 0 -> 0');
  });
});
