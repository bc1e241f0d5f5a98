// `npm run bench -- reporting`: what receiving costs a server, and counting what is under way, and reporting it, in each response and in as many as clients ask for.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { interval, median } from '../http/statistics.mjs';

const PROCESSES = 12;
const ROUNDS = 25;
const ROUND_MS = 80;
const WARM_MS = 1_000;
const CONCURRENCY = 32;
const ASKING = { 'endpoint-load-metrics-format': 'TEXT' };
/** Of a client that makes many calls. */
const ASKS_PER_SECOND = 50;

const askingOf = (clients) => {
  let askedAt = 0;
  return () => {
    const now = performance.now();
    if (now - askedAt < 1_000 / ASKS_PER_SECOND / clients) return undefined;
    askedAt = now;
    return ASKING;
  };
};
const KINDS = [
  { name: 'without Rookery', app: 'plain', headers: () => undefined },
  { name: "loadReports: 'none'", app: 'none', headers: () => undefined },
  { name: 'not asked', app: 'private', headers: () => undefined },
  { name: 'asked by a busy client', app: 'private', headers: askingOf(1) },
  { name: 'asked by ten busy clients', app: 'private', headers: askingOf(10) },
  { name: 'asked by each request', app: 'private', headers: () => ASKING },
];
/** What the others are beside. */
const OFF = 1;

export async function benchReporting() {
  const processes = [];
  for (let n = 0; n < PROCESSES; n++) processes.push(await measure(n));
  console.log(
    `CPU time of the server for a request in us, ${CONCURRENCY} at a time, beside that with reports off; medians of ${PROCESSES} processes of ${ROUNDS} short rounds each:`,
  );
  for (const [at, { name }] of KINDS.entries()) {
    const costs = processes.map((kinds) => median(kinds[at]));
    // Of the same process: one is faster than another by more than what is measured here.
    const ratios = processes.map((kinds) => median(kinds[at].map((cost, round) => cost / kinds[OFF][round])));
    const [low, high] = interval(ratios);
    console.log(
      `  ${name.padEnd(28)} ${median(costs).toFixed(1).padStart(6)}  ${median(ratios).toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`,
    );
  }
}

/** @returns for each kind, what each round cost */
async function measure(n) {
  // Equal apps of a process differ by up to two percent, by which of them came first among other things.
  const child = fork(fileURLToPath(new URL('./server.mjs', import.meta.url)), [String(n)]);
  const [ports] = await once(child, 'message');
  const kinds = KINDS.map(({ app, headers }) => ({
    ...{ headers, costs: [] },
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
  for (const { pool } of kinds) await pool.destroy();
  child.disconnect();
  await once(child, 'exit');
  return kinds.map(({ costs }) => costs);
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
