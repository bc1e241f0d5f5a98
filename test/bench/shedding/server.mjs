// An app of `npm run bench -- shedding`: each request costs its only thread a few milliseconds, in steps.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { rookery, startApp } from '../nest-app.mjs';

const [loadShedding, workMs] = process.argv.slice(2);

/** As handlers do that ask a database in between. */
const STEPS = 4;

async function work() {
  for (let step = 0; step < STEPS; step++) {
    const until = performance.now() + Number(workMs) / STEPS;
    while (performance.now() < until);
    await delay(1);
  }
  return 'done';
}

const port = await startApp('work', work, [rookery({ loadShedding: loadShedding === 'true' })]);
process.send({ port });
