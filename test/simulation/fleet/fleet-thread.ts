import { parentPort, workerData } from 'node:worker_threads';
import { runFleet } from './fleet.js';
import type { FleetMessage, FleetTask } from './fleet-threads.js';
import { SimulatedWorld } from './simulated-world.js';

const { shape, seed, part } = workerData as FleetTask;
const tell = (message: FleetMessage): void => parentPort?.postMessage(message);
const { connectionsOfApp } = await runFleet(shape, new SimulatedWorld(shape, seed), {
  part,
  onWindow: (window) => tell({ window }),
});
tell({ connectionsOfApp });
