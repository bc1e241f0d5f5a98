// `npm run bench -- reporting`: what receiving costs a server, and counting what is under way, and reporting it, in each response and in as many as clients ask for.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { interval, median } from '../http/statistics.mjs';

const ROUNDS = 200;
const ROUND_MS = 120;
const WARM_MS = 2_000;
const CONCURRENCY = 32;
const ASKING = { 'endpoint-load-metrics-format': 'TEXT' };
/** Of ten clients, each fifty times a second. */
const ASKS_PER_SECOND = 500;

const askingAtTimes = () => {
  let askedAt = 0;
  return () => {
    const now = performance.now();
    if (now - askedAt < 1_000 / ASKS_PER_SECOND) return undefined;
    askedAt = now;
    return ASKING;
  };
};
const KINDS = [
  { name: 'without Rookery', app: 'plain', headers: () => undefined },
  { name: "loadReports: 'none'", app: 'none', headers: () => undefined },
  { name: 'not asked', app: 'private', headers: () => undefined },
  { name: 'asked by ten busy clients', app: 'private', headers: askingAtTimes() },
  { name: 'asked by each request', app: 'private', headers: () => ASKING },
];

export async function benchReporting() {
  const child = fork(fileURLToPath(new URL('./server.mjs', import.meta.url)));
  const [ports] = await once(child, 'message');
  const kinds = KINDS.map(({ name, app, headers }) => ({
    ...{ name, headers, costs: [] },
    pool: new Pool(`http://127.0.0.1:${ports[app]}`, { connections: CONCURRENCY }),
  }));
  for (const { pool, headers } of kinds) await load(pool, headers, WARM_MS);
  for (let round = 0; round < ROUNDS; round++) {
    // Another one is the first each time, since what came before has left garbage.
    const first = round % kinds.length;
    for (const { pool, headers, costs } of [...kinds.slice(first), ...kinds.slice(0, first)]) {
      const before = await cpuUs(child);
      const calls = await load(pool, headers, ROUND_MS);
      costs.push(((await cpuUs(child)) - before) / calls);
    }
  }
  console.log(
    `CPU time of the server for a request in us, ${CONCURRENCY} at a time, median of ${ROUNDS} short rounds, beside that of the same round with reports off:`,
  );
  const off = kinds[1].costs;
  for (const { name, costs } of kinds) {
    const ratios = costs.map((cost, round) => cost / off[round]);
    const [low, high] = interval(ratios);
    console.log(
      `  ${name.padEnd(28)} ${median(costs).toFixed(1).padStart(6)}  ${median(ratios).toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`,
    );
  }
  for (const { pool } of kinds) await pool.destroy();
  child.disconnect();
  await once(child, 'exit');
}

async function cpuUs(child) {
  child.send('cpu');
  const [{ cpuUs: used }] = await once(child, 'message');
  return used;
}

/** @returns how many requests were answered */
async function load(pool, headers, milliseconds) {
  const begun = performance.now();
  let calls = 0;
  const caller = async () => {
    while (performance.now() - begun < milliseconds) {
      const { body } = await pool.request({ path: '/book', method: 'GET', headers: headers() });
      await body.dump();
      calls++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  return calls;
}
