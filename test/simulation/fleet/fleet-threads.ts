import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { FleetPart, FleetReport, FleetShape, FleetWindow } from './fleet.js';
import { mergeCounts, type SimulatedCounts } from './fleet-traffic.js';

export interface FleetTask {
  readonly shape: FleetShape;
  readonly seed: number;
  readonly part: FleetPart;
}

/** What a thread tells: each window when it is over, and at the end how many connections an idle app has. */
export type FleetMessage =
  { readonly window: FleetWindow<SimulatedCounts> } | { readonly connectionsOfApp: number };

/** With more, most of the time goes into collecting garbage. */
const APPS_OF_THREAD = 2_500;
const HEAP = { maxOldGenerationSizeMb: 8_000, maxYoungGenerationSizeMb: 256 };

/** A fleet in parts, as many at once as there are processors. */
export async function runFleetInThreads(
  shape: FleetShape,
  seed: number,
  onWindow: (window: FleetWindow<SimulatedCounts>) => void,
): Promise<FleetReport<SimulatedCounts>> {
  const parts = Math.min(shape.hosts, Math.ceil(shape.apps / APPS_OF_THREAD));
  const waiting = Array.from({ length: parts }, (_, turn) => ({ turn, parts }));
  const told = new Map<string, FleetWindow<SimulatedCounts>[]>();
  const windows: FleetWindow<SimulatedCounts>[] = [];
  let connectionsOfApp = 0;
  const onMessage = (message: FleetMessage): void => {
    if ('connectionsOfApp' in message) {
      connectionsOfApp += message.connectionsOfApp;
      return;
    }
    const { name } = message.window;
    const all = [...(told.get(name) ?? []), message.window];
    told.set(name, all);
    if (all.length < parts) return;
    const window = { ...mergeCounts(all), name };
    windows.push(window);
    onWindow(window);
  };
  const work = async (): Promise<void> => {
    for (let part = waiting.shift(); part; part = waiting.shift())
      await runPart({ shape, seed, part }, onMessage);
  };
  await Promise.all(Array.from({ length: Math.min(parts, availableParallelism()) }, work));
  return { shape, windows, connectionsOfApp };
}

async function runPart(task: FleetTask, onMessage: (message: FleetMessage) => void): Promise<void> {
  const thread = new Worker(new URL('./fleet-thread.js', import.meta.url), {
    workerData: task,
    resourceLimits: HEAP,
  });
  await new Promise<void>((resolve, reject) => {
    thread.on('message', onMessage);
    thread.once('error', reject);
    thread.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`a part of it ended with ${code}`)),
    );
  });
}
