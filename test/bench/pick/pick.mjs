// One implementation with a number of instances, in a separate process: prints the cost of a pick as JSON.
import { IMPLEMENTATIONS } from './implementations.mjs';

const [impl, size] = process.argv.slice(2);
const pick = IMPLEMENTATIONS[impl](Number(size));

let sink = 0;
const run = (picks) => {
  for (let n = 0; n < picks; n++) if (pick(n)) sink++;
};
const time = (picks) => {
  const begun = process.hrtime.bigint();
  run(picks);
  return Number(process.hrtime.bigint() - begun);
};

// As many as take about 30 ms, after the warm-up.
let picks = 1_000;
for (let spent = 0; spent < 500e6;) {
  const took = time(picks);
  spent += took;
  if (took < 20e6) picks *= 2;
}
const rounds = Array.from({ length: 9 }, () => time(picks) / picks).sort((a, b) => a - b);

const allocated = [];
for (let n = 0; n < 5; n++) {
  const some = Math.min(picks, 20_000);
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  run(some);
  allocated.push((process.memoryUsage().heapUsed - before) / some);
}
if (sink === 0) throw new Error('nothing was picked');
process.stdout.write(
  JSON.stringify({
    ns: Number(rounds[1].toFixed(1)),
    bytes: Math.max(0, Number(Math.min(...allocated).toFixed(1))),
  }),
);
