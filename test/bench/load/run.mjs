// `npm run bench -- load`: strategies beside each other on five servers, of which one has half of its time for its callers, and four clients; all in processes of their own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { median } from '../http/statistics.mjs';

const STRATEGIES = ['p2c-load', 'p2c-ewma', 'least-requests', 'round-robin'];
const WORK_MS = 8;
const SERVERS = 5;
const CLIENTS = 4;
const LOAD = 0.8;
const ROUNDS = 7;
const ROUND_MS = 8_000;
const WARM_MS = 2_000;

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export async function benchLoad() {
  const servers = await Promise.all(
    Array.from({ length: SERVERS }, async (_, n) => {
      const child = fork(here('./provider.mjs'), [n === 0 ? '1' : '0', String(WORK_MS)]);
      const [{ port }] = await once(child, 'message');
      return { child, port };
    }),
  );
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const child = fork(
        here('./client.mjs'),
        servers.map(({ port }) => String(port)),
      );
      await once(child, 'message');
      return child;
    }),
  );
  // A timer is late by about a millisecond.
  const perSecond = ((SERVERS - 0.5) * 1_000 * LOAD) / (WORK_MS + 1);
  const rounds = STRATEGIES.map(() => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [n, strategy] of STRATEGIES.entries()) {
      const settings = { strategy, perSecond: perSecond / CLIENTS, milliseconds: ROUND_MS, warmMs: WARM_MS };
      await Promise.all(servers.map(({ child }) => ask(child, {})));
      const told = await Promise.all(clients.map((child) => ask(child, settings)));
      const used = (await Promise.all(servers.map(({ child }) => ask(child, {})))).map(
        ({ utilization }) => utilization,
      );
      const took = told.flatMap((each) => each.took).sort((a, b) => a - b);
      rounds[n].push({
        p50: took[Math.floor(took.length * 0.5)],
        p99: took[Math.floor(took.length * 0.99)],
        failed: told.reduce((sum, each) => sum + each.failed, 0),
        spread: (Math.max(...used) / used.reduce((sum, each) => sum + each, 0)) * used.length,
      });
    }
  console.log(
    `${SERVERS} servers of ${WORK_MS} ms, one with half of its time taken, ${CLIENTS} clients, ${LOAD * 100} % load; medians of ${ROUNDS} rounds:`,
  );
  const base = median(rounds[1].map(({ p99 }) => p99));
  for (const [n, strategy] of STRATEGIES.entries()) {
    const of = (field) => median(rounds[n].map((round) => round[field]));
    const failed = rounds[n].reduce((sum, round) => sum + round.failed, 0);
    console.log(
      `  ${strategy.padEnd(16)} p50 ${of('p50').toFixed(0).padStart(5)} ms  p99 ${of('p99').toFixed(0).padStart(5)} ms  ${(of('p99') / base).toFixed(2)} x  the busiest server ${of('spread').toFixed(2)} x the mean  ${failed} failed`,
    );
  }
  for (const child of [...clients, ...servers.map((each) => each.child)]) {
    child.disconnect();
    await once(child, 'exit');
  }
}

async function ask(child, message) {
  child.send(message);
  const [answer] = await once(child, 'message');
  return answer;
}
