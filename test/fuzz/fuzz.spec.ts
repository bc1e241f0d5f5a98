import { describe, expect, it } from '@jest/globals';
import { figure } from '@rookery/test-support';
import { fuzz } from './fuzz.js';
import { TARGETS } from './targets.js';

const SEED = Number(process.env.ROOKERY_SEED ?? Math.floor(Math.random() * 2 ** 31));
const INPUTS = 10_000;

describe('hostile input', () => {
  it('causes errors that say what is wrong, and nothing else', async () => {
    const findings = await fuzz(TARGETS, { inputs: Math.ceil(INPUTS / TARGETS.length), seed: SEED });
    figure(
      'fuzz',
      `${INPUTS} inputs to ${TARGETS.length} parsers, seed ${SEED}: ${findings.length} findings`,
    );
    expect(findings).toEqual([]);
  }, 120_000);

  it('is found out where a parser fails, hangs or pollutes', async () => {
    const polluting = (input: string): void => {
      if (input.includes('__proto__')) Object.assign(Object.getPrototypeOf({}) as object, { polluted: 1 });
    };
    const samples = ['{"a":1}'];
    const failing = { name: 'fails', samples, feed: (input: string) => void JSON.parse(input) };
    const found = await fuzz([failing], { inputs: 50, seed: 1 });
    expect(found.every(({ problem }) => problem.startsWith('SyntaxError'))).toBe(true);
    expect(found.length).toBeGreaterThan(10);
    const [pollution] = await fuzz([{ name: 'pollutes', samples, feed: polluting }], {
      inputs: 100,
      seed: 1,
    });
    Reflect.deleteProperty(Object.prototype, 'polluted');
    expect(pollution).toMatchObject({ problem: 'Object.prototype has polluted' });
    expect(await fuzz([failing], { inputs: 50, seed: 1 })).toEqual(found);
  });
});
