// `npm run bench -- dashboard`: which part of a core the dashboard takes from its app, with and without viewers.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { median } from '../http/statistics.mjs';

const ROUNDS = 5;
const MEASURED_MS = 8_000;
const WARM_UP_MS = 4_000;
const WAYS = {
  'no dashboard': { dashboard: false, viewers: 0 },
  'no viewer': { dashboard: true, viewers: 0 },
  'one viewer': { dashboard: true, viewers: 1 },
  'ten viewers': { dashboard: true, viewers: 10 },
};

export async function benchDashboard() {
  const shares = Object.fromEntries(Object.keys(WAYS).map((name) => [name, []]));
  // In turns, so that what else the machine does meets all of them.
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, way] of Object.entries(WAYS)) shares[name].push(await shareOf(way));
  const base = median(shares['no dashboard']);
  const rows = Object.entries(shares).map(([name, all]) => ({
    name,
    percent: Number(median(all).toFixed(2)),
    more: Number((median(all) - base).toFixed(2)),
  }));
  console.log('\n500 services of 10 instances        % of a core     more');
  for (const { name, percent, more } of rows)
    console.log(name.padEnd(32) + String(percent).padStart(15) + String(more).padStart(9));
  const folder = fileURLToPath(new URL('../results', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/dashboard.json`, `${JSON.stringify({ rows }, null, 2)}\n`);
  console.log('written: test/bench/results/dashboard.json');
}

/** Of a process of its own: what one has done before is of no weight in the next. */
async function shareOf({ dashboard, viewers }) {
  const app = fork(fileURLToPath(new URL('app.mjs', import.meta.url)), [dashboard ? 'dashboard' : 'none']);
  try {
    const [url] = await once(app, 'message');
    const streams = Array.from({ length: viewers }, () =>
      get(`${url}/rookery/stream`, (response) => response.resume()).on('error', () => undefined),
    );
    await delay(WARM_UP_MS);
    app.send(MEASURED_MS);
    const [share] = await once(app, 'message');
    for (const stream of streams) stream.destroy();
    return share;
  } finally {
    app.disconnect();
    if (app.exitCode === null) await once(app, 'exit');
  }
}
