import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Scenario, SimulatedCall, SimulationOptions } from './simulation.js';

export interface ThreadTask {
  /** Of a scenario; without one, `changes` is all of it. */
  readonly name?: string;
  /** Of scenarios with that name, the one with so many. */
  readonly clients?: number;
  readonly changes: Partial<Scenario>;
  readonly options: SimulationOptions;
}

/** Runs what `tsc -b` has built outside of the contexts of Jest, in which globals are slow (nodejs/node#31658): a fifth of the time. */
export async function simulateInThread(task: ThreadTask): Promise<readonly SimulatedCall[]> {
  const thread = new Worker(new URL('./dist/simulation-thread.js', import.meta.url), { workerData: task });
  try {
    const [calls] = (await once(thread, 'message')) as [readonly SimulatedCall[]];
    return calls;
  } finally {
    await thread.terminate();
  }
}
