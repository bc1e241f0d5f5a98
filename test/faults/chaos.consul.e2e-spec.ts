import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { figure } from '@rookery/test-support';
import { Chaos } from './chaos.js';

/** `ROOKERY_SEED=7 npm run chaos`: ten minutes. */
const SECONDS = Number(process.env.ROOKERY_CHAOS_SECONDS ?? 60);
const SEED = Number(process.env.ROOKERY_SEED ?? 11);
const MIB = 1024 * 1024;
/** Deregistration, drain and requests in flight, by default. */
const SHUTDOWN_MS = 45_000;

describe(`chaos of ${SECONDS} s with seed ${SEED}`, () => {
  const chaos = new Chaos(SEED);
  let hasPassed = false;
  beforeAll(() => chaos.start(), 120_000);
  afterAll(() => chaos.stop({ keepLog: !hasPassed }), 60_000);

  it(
    'fails no GET, repeats no POST, and everything is as it was after each round',
    async () => {
      const until = performance.now() + SECONDS * 1_000;
      const lags: number[] = [];
      const heaps: number[] = [];
      try {
        do {
          await chaos.round();
          const { registryMs, viewMs } = await chaos.untilConverged(90_000);
          lags.push(viewMs);
          heaps.push((await chaos.callerState()).heap);
          chaos.note(
            `converged: the registry after ${Math.round(registryMs)} ms, the caller ${Math.round(viewMs)} ms later`,
          );
        } while (performance.now() < until);
        const { done, failed } = await chaos.callerState();
        const left = await chaos.shutDown();
        const [first = 0, last = 0] = [heaps[0], heaps.at(-1)];
        figure(
          'chaos',
          `${lags.length} rounds, seed ${SEED}: ${done.get} GETs and ${done.post} POSTs, ` +
            `${failed.filter(({ kind }) => kind === 'post').length} POSTs failed; the view was right ` +
            `${Math.round(Math.max(...lags))} ms after the registry at worst; exits took ${Math.round(Math.max(...chaos.exits))} ms ` +
            `at worst; heap ${(first / MIB).toFixed(1)} to ${(last / MIB).toFixed(1)} MiB`,
        );
        expect(failed.filter(({ kind }) => kind === 'get')).toEqual([]);
        expect(chaos.doubled).toEqual([]);
        expect(left).toEqual([]);
        expect(Math.max(...chaos.exits)).toBeLessThan(SHUTDOWN_MS);
        expect(last - first).toBeLessThan(20 * MIB);
      } catch (error) {
        throw new Error(`seed ${SEED}, log ${chaos.logFile}`, { cause: error });
      }
      hasPassed = true;
    },
    SECONDS * 1_000 + 300_000,
  );
});
