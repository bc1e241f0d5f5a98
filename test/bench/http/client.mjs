// One implementation in a process of its own: measures itself when the parent asks, and is idle otherwise.
import { performance } from 'node:perf_hooks';
import { IMPLEMENTATIONS } from './implementations.mjs';

const [impl] = process.argv.slice(2);
const target = JSON.parse(process.env.BENCH_TARGET);
const calls = await IMPLEMENTATIONS[impl](target);

/** 1 kB. */
const ORDER = {
  lines: Array.from({ length: 24 }, (_, n) => ({ book: `book-${n}`, quantity: n, price: 9.99 })),
};

async function measure({ method, concurrency, durationMs }) {
  const call = method === 'GET' ? calls.get : () => calls.post(ORDER);
  const latencies = [];
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const until = begun + durationMs;
  const caller = async () => {
    for (let now = performance.now(); now < until;) {
      const data = await call();
      if (data.title !== 'Dune') throw new Error(`${impl}: ${JSON.stringify(data)}`);
      const then = now;
      now = performance.now();
      latencies.push(now - then);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  const seconds = (performance.now() - begun) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))];
  return {
    rps: latencies.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuUs: (user + system) / latencies.length,
  };
}

/** Bytes of heap for a call: as many calls as fit into the young generation, so that none is collected. */
async function allocation({ method }) {
  const call = method === 'GET' ? calls.get : () => calls.post(ORDER);
  const CALLS = 200;
  const samples = [];
  for (let n = 0; n < 7; n++) {
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    for (let each = 0; each < CALLS; each++) await call();
    samples.push((process.memoryUsage().heapUsed - before) / CALLS);
  }
  return { bytes: samples.sort((a, b) => a - b)[3] };
}

const TASKS = { measure, allocation };
process.on('message', ({ task, ...options }) => {
  TASKS[task](options).then(
    (result) => process.send({ result }),
    (error) => process.send({ error: error.stack }),
  );
});
process.on('disconnect', () => process.exit());
process.send({ ready: true });
