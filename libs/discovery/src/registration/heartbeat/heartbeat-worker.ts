// The entry of a worker thread: its heartbeats go on while the event loop of the main thread is blocked.
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerReporter } from '../../registry/worker-reporter.js';
import { systemClock } from '../../timing/clock.js';
import { runHeartbeats } from './heartbeat-loop.js';
import type { HeartbeatWorkerData } from './heartbeat-messages.js';

async function run(port: NonNullable<typeof parentPort>, data: HeartbeatWorkerData): Promise<void> {
  const { createWorkerReporter } = (await import(data.reporter.module)) as {
    createWorkerReporter: (options: unknown) => WorkerReporter;
  };
  await runHeartbeats(port, data, createWorkerReporter(data.reporter.data), systemClock);
}

// A rejection ends the thread, which the main thread sees.
if (parentPort) void run(parentPort, workerData as HeartbeatWorkerData);
