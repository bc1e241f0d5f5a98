import { seededRandom } from '@rookery/test-support';
import { hostileInput } from './hostile-input.js';
import type { FuzzTarget } from './targets.js';

export interface Finding {
  readonly target: string;
  readonly input: string;
  readonly problem: string;
}

const SLOW_MS = 1_000;

/** Feeds each target with as many inputs; the same for the same seed. */
export async function fuzz(
  targets: readonly FuzzTarget[],
  { inputs, seed }: { readonly inputs: number; readonly seed: number },
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { name: target, samples, feed } of targets) {
    const random = seededRandom(seed);
    for (let n = 0; n < inputs; n++) {
      const input = hostileInput(samples, random);
      const begun = process.cpuUsage();
      const problem = await problemOf(feed, input);
      // Of the processor: the machine may be busy with something else.
      const { user, system } = process.cpuUsage(begun);
      const took = (user + system) / 1_000;
      if (problem !== undefined) findings.push({ target, input, problem });
      else if (took > SLOW_MS) findings.push({ target, input, problem: `it took ${Math.round(took)} ms` });
    }
  }
  return findings;
}

async function problemOf(feed: FuzzTarget['feed'], input: string): Promise<string | undefined> {
  try {
    await feed(input);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  // Whatever inherits from it would have the field.
  for (const field in {}) return `Object.prototype has ${field}`;
  return undefined;
}
