// `npm run bench -- shedding`: what a server answers at twice what it can, with and without `loadShedding`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';

/** Of callers that keep them, such as a gateway: those that close them with each late answer are held up by having to connect again. */
const CONNECTIONS = 500;
const WORK_MS = 4;
const DEADLINE_MS = 500;
const PEAK_MS = 4_000;
const OVERLOAD_MS = 10_000;
const WARM_MS = 2_000;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export async function benchShedding() {
  console.log(
    `${WORK_MS} ms of CPU for each request, callers that give up after ${DEADLINE_MS} ms, twice as many requests as can be answered for ${OVERLOAD_MS / 1_000} s:`,
  );
  for (const shedding of [true, false]) {
    const child = fork(here('./server.mjs'), [String(shedding), String(WORK_MS)]);
    const [{ port }] = await once(child, 'message');
    const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS });
    await peak(pool, 1_000);
    const most = await peak(pool, PEAK_MS);
    const { goodput, p99, refused, late } = await overload(pool, most * 2);
    console.log(
      `  loadShedding: ${String(shedding).padEnd(5)}  peak ${most.toFixed(0)}/s; at twice that ${goodput.toFixed(0)}/s in time, ${(goodput / most).toFixed(2)} of it, p99 ${p99.toFixed(0)} ms; ${(refused * 100).toFixed(0)} % refused, ${(late * 100).toFixed(0)} % too late`,
    );
    await pool.destroy();
    child.disconnect();
    await once(child, 'exit');
  }
}

async function ask(pool) {
  const headers = { 'rookery-timeout': String(DEADLINE_MS) };
  const { statusCode, body } = await pool.request({ path: '/work', method: 'GET', headers });
  await body.text();
  return statusCode;
}

/** @returns answers a second, where as many are asked for as can be answered */
async function peak(pool, milliseconds) {
  const begun = performance.now();
  let answers = 0;
  const caller = async () => {
    while (performance.now() - begun < milliseconds) {
      if ((await ask(pool)) === 200) answers++;
    }
  };
  await Promise.all(Array.from({ length: 8 }, caller));
  return (answers * 1_000) / (performance.now() - begun);
}

/** Requests come at their times, whatever became of the ones before. */
async function overload(pool, perSecond) {
  const begun = performance.now();
  const took = [];
  let all = 0;
  let refused = 0;
  const under = new Set();
  for (let n = 0; performance.now() - begun < OVERLOAD_MS; n++) {
    const at = begun + (n * 1_000) / perSecond;
    const wait = at - performance.now();
    if (wait > 1) await delay(wait);
    const isCounted = at - begun >= WARM_MS;
    if (isCounted) all++;
    const asked = ask(pool).then(
      (status) => {
        if (!isCounted) return;
        if (status === 200) took.push(performance.now() - at);
        else refused++;
      },
      () => undefined,
    );
    under.add(asked.finally(() => under.delete(asked)));
  }
  await Promise.all(under);
  const inTime = took.filter((each) => each <= DEADLINE_MS).sort((a, b) => a - b);
  const seconds = (OVERLOAD_MS - WARM_MS) / 1_000;
  return {
    goodput: inTime.length / seconds,
    p99: inTime[Math.floor(inTime.length * 0.99)] ?? NaN,
    refused: refused / all,
    late: 1 - (refused + inTime.length) / all,
  };
}
