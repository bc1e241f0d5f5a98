// `npm run bench -- reporting`: what it costs a server to report its load, in each response and in as many as clients ask for.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { median } from '../http/statistics.mjs';

const ROUNDS = 31;
const ROUND_MS = 500;
const CONCURRENCY = 32;
const ASKING = { 'endpoint-load-metrics-format': 'TEXT' };
/** Of ten clients, each fifty times a second. */
const ASKS_PER_SECOND = 500;

const KINDS = {
  'not asked': () => undefined,
  'asked by ten busy clients': (() => {
    let askedAt = 0;
    return () => {
      const now = performance.now();
      if (now - askedAt < 1_000 / ASKS_PER_SECOND) return undefined;
      askedAt = now;
      return ASKING;
    };
  })(),
  'asked by each request': () => ASKING,
};

export async function benchReporting() {
  const child = fork(fileURLToPath(new URL('./server.mjs', import.meta.url)));
  const [{ port }] = await once(child, 'message');
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONCURRENCY });
  const kinds = Object.values(KINDS);
  const rates = kinds.map(() => []);
  for (const headers of kinds) await load(pool, headers);
  for (let round = 0; round < ROUNDS; round++)
    for (const [n, headers] of kinds.entries()) rates[n].push(await load(pool, headers));
  console.log(`requests a second, ${CONCURRENCY} at a time, median of ${ROUNDS} rounds:`);
  const base = median(rates[0]);
  for (const [n, name] of Object.keys(KINDS).entries()) {
    const rate = median(rates[n]);
    console.log(`  ${name.padEnd(28)} ${String(Math.round(rate)).padStart(6)}  ${(rate / base).toFixed(3)}`);
  }
  await pool.destroy();
  child.disconnect();
  await once(child, 'exit');
}

/** @returns requests a second */
async function load(pool, headers) {
  const begun = performance.now();
  let calls = 0;
  const caller = async () => {
    while (performance.now() - begun < ROUND_MS) {
      const { body } = await pool.request({ path: '/book', method: 'GET', headers: headers() });
      await body.dump();
      calls++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  return (calls * 1_000) / (performance.now() - begun);
}
