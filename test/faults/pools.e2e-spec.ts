import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { figure } from '@rookery/test-support';

/** A million by hand, in a few minutes: `ROOKERY_POOL_CALLS=1000000 npm run jest -- --testPathPatterns faults/pools`. */
const CALLS = Number(process.env.ROOKERY_POOL_CALLS ?? 60_000);
const MIB = 2 ** 20;

interface Churn {
  readonly calls: number;
  readonly failed: number;
  readonly turns: number;
  readonly heap: readonly number[];
  readonly most: number;
  readonly after: number;
}

describe('F58 pools of instances that come and go', () => {
  it('leave no memory and no socket behind', async () => {
    const script = fileURLToPath(new URL('pool-churn.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, String(CALLS)]);
    const { calls, failed, turns, heap, most, after } = JSON.parse(stdout) as Churn;
    const settled = heap.slice(heap.length / 4);
    const begun = settled[0] ?? 0;
    const ended = Math.min(...settled.slice(-4));
    figure(
      'F58',
      `${calls} calls, ${turns} instances replaced: ${failed} failed; heap ${(begun / MIB).toFixed(1)} to ` +
        `${(ended / MIB).toFixed(1)} MiB; ${most} sockets at most, ${after} at the end`,
    );
    expect(failed).toBe(0);
    expect(turns).toBeGreaterThan(90);
    expect(ended - begun).toBeLessThan(3 * MIB);
    expect(after).toBe(0);
  }, 900_000);
});
