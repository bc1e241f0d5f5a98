// A server of `npm run bench -- load`: its one worker takes some milliseconds for each request, and twice as many where half of its time is taken.
import { performance } from 'node:perf_hooks';
import { rookery, startApp } from '../nest-app.mjs';

const [isHalfTaken, workMs] = process.argv.slice(2).map(Number);

let busyMs = 0;
let since = performance.now();
let turn = Promise.resolve();
/** By timers and not by CPU, of which the machine has less than five servers need. */
const work = () =>
  (turn = turn.then(async () => {
    const begun = performance.now();
    const until = begun + (isHalfTaken ? 2 : 1) * workMs * (0.75 - 0.25 * Math.log(1 - Math.random()));
    await new Promise((resolve) => setTimeout(resolve, until - performance.now()));
    busyMs += performance.now() - begun;
  }));

async function book() {
  await work();
  return { title: 'Dune' };
}

process.send({ port: await startApp('book', book, [rookery()]) });
// Asked at the end of each round.
process.on('message', () => {
  const now = performance.now();
  process.send({ utilization: busyMs / (now - since) });
  busyMs = 0;
  since = now;
});
