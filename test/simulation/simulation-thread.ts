import { parentPort, workerData } from 'node:worker_threads';
import { LOAD_SCENARIOS } from './load-scenarios.js';
import { SCENARIOS } from './scenarios.js';
import type { ThreadTask } from './simulate-in-thread.js';
import { simulate, type Scenario } from './simulation.js';

const { name, clients, changes, options } = workerData as ThreadTask;
const named = [...SCENARIOS, ...LOAD_SCENARIOS].find(
  (scenario) => scenario.name === name && (clients === undefined || scenario.clients === clients),
);
parentPort?.postMessage(await simulate({ ...named, ...changes } as Scenario, options));
