import type { Suite, Test } from './jest-globals.js';

/** One test with all that is to be done around it. */
export interface PlannedTest {
  readonly name: string;
  readonly test: Test;
  /** From the outermost to its own. */
  readonly suites: readonly Suite[];
}

export function plan(suite: Suite, outer: readonly Suite[] = []): PlannedTest[] {
  const suites = [...outer, suite];
  const prefix = suites.map(({ name }) => name).join(' › ');
  return [
    ...suite.tests.map((test) => ({ name: `${prefix} › ${test.name}`, test, suites })),
    ...suite.suites.flatMap((inner) => plan(inner, suites)),
  ];
}

/**
 * Runs one test alone, with the hooks of its suites.
 * @throws what failed, or that it did not end in time
 */
export async function runAlone({ test, suites }: PlannedTest, timeoutMs: number): Promise<void> {
  const inwards = (hook: 'beforeAll' | 'beforeEach') => suites.flatMap(({ hooks }) => hooks[hook]);
  const outwards = (hook: 'afterAll' | 'afterEach') =>
    [...suites].reverse().flatMap(({ hooks }) => [...hooks[hook]].reverse());
  const steps = [...inwards('beforeAll'), ...inwards('beforeEach'), test.run];
  const failures: unknown[] = [];
  try {
    for (const step of steps) await within(timeoutMs, step);
  } catch (error) {
    failures.push(error);
  }
  // A suite may lean on what the step before has made.
  for (const step of [...outwards('afterEach'), ...outwards('afterAll')])
    await within(timeoutMs, step).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

async function within(timeoutMs: number, step: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([Promise.resolve().then(step), late]);
  } finally {
    clearTimeout(timer);
  }
}
